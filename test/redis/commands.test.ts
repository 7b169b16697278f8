import { expect } from "bun:test";
import { startRedis, testWithRedis as test } from "../support/redis.ts";
import { deliveries, isWell, type Node, startNode } from "./node.ts";
import { createRelay } from "./relay.ts";

// PROTOCOL.md, section 4, commands: in order, at least once, whichever node has the worker.

const key = (name: string, digest: string) => ({ key: name, digest });

function idOf(result: Awaited<ReturnType<Node["order"]>>): string {
  if (!result.ok) throw new Error(`${result.code}: ${result.detail}`);
  return result.id;
}

async function ready(node: Node, token: string): Promise<void> {
  await node.register(token);
  node.backplane.ready(token);
}

async function toldDeliveries(node: Node, count: number): Promise<string[]> {
  await node.until(() => deliveries(node).length >= count, `${count} commands`);
  return deliveries(node);
}

test("posted on any node, delivered in order by the one that has the worker, acknowledged from another", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  // Without ticks: what comes, comes by a signal.
  await using b = await startNode(redis.url, {}, { every: () => () => undefined });
  const ids: string[] = [];
  for (const n of [1, 2, 3]) {
    const result = await a.order(`{"n":${n}}`);
    expect(result).toMatchObject({ ok: true, status: "queued" });
    ids.push(idOf(result));
  }
  expect(await b.backplane.command(ids[0] ?? "")).toMatchObject({ state: "queued", attempts: 0 });
  await ready(b, "w");
  expect(await toldDeliveries(b, 3)).toEqual(['w 1 {"n":1}', 'w 1 {"n":2}', 'w 1 {"n":3}']);
  const live = await a.order('{"n":4}');
  expect(live).toMatchObject({ status: "sent" });
  await toldDeliveries(b, 4);
  expect(await a.backplane.command(ids[0] ?? "")).toMatchObject({ id: ids[0], state: "sent", attempts: 1 });
  a.backplane.acknowledge([...ids, idOf(live), "unknown"]);
  await a.until(() => a.metrics.commands.value("acknowledged") === 4, "the acknowledgements");
  expect(await b.backplane.command(ids[2] ?? "")).toMatchObject({ state: "acknowledged" });
  expect(await b.backplane.command("unknown")).toBeUndefined();
  expect((await b.backplane.worker()).queued).toBe(0);
  expect(b.metrics.commands.value("sent")).toBe(4);
  expect(a.metrics.commands.value("accepted")).toBe(4);
});

test("a pong that comes after its worker's successor acknowledges nothing", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await ready(a, "w1");
  const id = idOf(await a.order('{"n":1}'));
  await toldDeliveries(a, 1);
  await ready(b, "w2");
  expect(await toldDeliveries(b, 1)).toEqual(['w2 2 {"n":1}']);
  a.backplane.acknowledge([id], "w1");
  await new Promise<void>((resolve) => a.backplane.barrier(resolve));
  expect(await b.backplane.command(id)).toMatchObject({ state: "sent", attempts: 2 });
  b.backplane.acknowledge([id], "w2");
  await b.until(() => b.metrics.commands.value("acknowledged") === 1, "the acknowledgement");
});

test("what a worker has not acknowledged is sent again to the next one, before anything newer", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await ready(a, "w1");
  const ids = [
    idOf(await a.order('{"n":1}')),
    idOf(await a.order('{"n":2}')),
    idOf(await a.order('{"n":3}')),
  ];
  await toldDeliveries(a, 3);
  a.backplane.acknowledge([ids[1] ?? ""]);
  a.backplane.leave("w1");
  await a.until(() => a.backplane.status().status === "offline", "offline");
  await a.order('{"n":4}');
  await ready(b, "w2");
  expect(await toldDeliveries(b, 3)).toEqual(['w2 2 {"n":1}', 'w2 2 {"n":3}', 'w2 1 {"n":4}']);
  expect(b.metrics.commands.value("redelivered")).toBe(2);
  // A worker that is replaced hands over, too.
  await ready(a, "w3");
  expect((await toldDeliveries(a, 6)).slice(3)).toEqual(['w3 3 {"n":1}', 'w3 3 {"n":3}', 'w3 2 {"n":4}']);
});

test("a node that dies with commands: they go to the next worker", async () => {
  await using redis = await startRedis();
  const env = { WORKER_LEASE_MS: "400", WORKER_POLICY: "shared" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  await ready(b, "older");
  await ready(a, "newer");
  for (const n of [1, 2]) await b.order(`{"n":${n}}`);
  expect(await toldDeliveries(a, 2)).toEqual(['newer 1 {"n":1}', 'newer 1 {"n":2}']);
  expect(deliveries(b)).toEqual([]);
  a.crash();
  expect(await toldDeliveries(b, 2)).toEqual(['older 2 {"n":1}', 'older 2 {"n":2}']);
});

test("a worker that cannot take more is given no more until it can", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await ready(a, "w");
  a.canTake = false;
  await a.order('{"n":1}');
  await toldDeliveries(a, 1);
  for (const n of [2, 3, 4]) await a.order(`{"n":${n}}`);
  expect(await a.order('{"n":5}')).toMatchObject({ status: "queued" });
  expect(deliveries(a)).toHaveLength(1);
  a.canTake = true;
  a.backplane.canTake("w");
  expect((await toldDeliveries(a, 5)).slice(1)).toEqual([2, 3, 4, 5].map((n) => `w 1 {"n":${n}}`));
});

test("more than one take brings: all of it comes, in order", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  const texts = Array.from(
    { length: 300 },
    (_, n) => `{"n":${n},"x":"${"y".repeat(n % 3 === 0 ? 30_000 : 10)}"}`,
  );
  await Promise.all(texts.map((text) => a.order(text)));
  await ready(b, "w");
  expect(await toldDeliveries(b, 300)).toEqual(texts.map((text) => `w 1 ${text}`));
});

test("the queue is bounded, and if_offline=reject is answered by the shared status", async () => {
  await using redis = await startRedis();
  const env = { COMMAND_QUEUE: "2" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  expect(await a.order('{"n":0}', "reject")).toEqual({
    ok: false,
    code: "offline",
    detail: "no worker is online, and if_offline=reject was asked for",
  });
  const first = idOf(await a.order('{"n":1}'));
  await b.order('{"n":2}');
  expect(await a.order('{"n":3}')).toEqual({
    ok: false,
    code: "queue_full",
    detail: "2 commands wait for the worker, and COMMAND_QUEUE allows 2",
  });
  b.backplane.acknowledge([first]);
  expect(await b.order('{"n":4}')).toMatchObject({ ok: true });
  expect(a.metrics.commands.value("refused")).toBe(2);
  a.backplane.acknowledge([first]);
  await b.register("w");
  expect(await a.order('{"n":5}', "reject")).toMatchObject({ code: "queue_full" });
});

test("a command expires, and is not sent after that", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { COMMAND_TTL_MS: "400" });
  const id = idOf(await a.order('{"n":1}'));
  await a.until(() => a.metrics.commands.value("expired") === 1, "its end");
  expect(await a.backplane.command(id)).toMatchObject({ state: "expired", attempts: 0 });
  await ready(a, "w");
  await a.order('{"n":2}');
  expect(await toldDeliveries(a, 1)).toEqual(['w 1 {"n":2}']);
});

test("a repeat under a key gets the first answer on every node", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  const first = await a.order('{"n":1}', "queue", key("k", "d1"));
  expect(await b.order('{"n":1}', "queue", key("k", "d1"))).toEqual(first);
  expect(await b.order('{"n":2}', "queue", key("k", "d2"))).toMatchObject({ code: "key_mismatch" });
  expect((await b.backplane.worker()).queued).toBe(1);
});

test("a worker that has not said that it is ready is sent nothing", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await a.register("w");
  expect(await a.order('{"n":1}')).toMatchObject({ status: "queued" });
  await Bun.sleep(1_200);
  expect(deliveries(a)).toEqual([]);
  a.backplane.ready("w");
  expect(await toldDeliveries(a, 1)).toEqual(['w 1 {"n":1}']);
});

test("connections killed while commands come: each is sent, first in order, and accepted once", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await ready(b, "w");
  const texts = Array.from({ length: 400 }, (_, n) => `{"n":${n}}`);
  const accepted: Promise<string>[] = [];
  for (const [n, text] of texts.entries()) {
    accepted.push(a.order(text).then(idOf));
    if (n % 4 === 3) await Bun.sleep(1);
    if (n % 40 === 39) await redis.cli("CLIENT", "KILL", "TYPE", "normal");
  }
  const ids = await Promise.all(accepted);
  const first = (): string[] => [...new Set(deliveries(b).map((one) => one.replace(/^w \d+ /, "")))];
  await b.until(() => first().length === texts.length, "all commands");
  expect(first()).toEqual(texts);
  // Sent again only as another attempt, and to this worker, who is still there, not at all.
  expect(deliveries(b)).toHaveLength(texts.length);
  b.backplane.acknowledge(ids);
  await b.until(() => b.metrics.commands.value("acknowledged") === texts.length, "the acknowledgements");
  // While it is cut off it can only say what it knew last.
  await a.until(() => isWell(a), "the connections");
  expect((await a.backplane.worker()).queued).toBe(0);
}, 30_000);

test("an answer that holds commands and is lost, with its caller gone: they come with the next one", async () => {
  await using redis = await startRedis();
  using relay = createRelay(redis.port);
  // The test says when it ticks, so that nothing comes between.
  const ticks: (() => void)[] = [];
  const every = (_: number, run: () => void) => {
    ticks.push(run);
    return () => undefined;
  };
  await using a = await startNode(relay.url, { REDIS_TIMEOUT_MS: "400" }, { every });
  await using b = await startNode(redis.url);
  await ready(a, "w");
  a.canTake = false;
  await b.order('{"n":1}');
  await toldDeliveries(a, 1);
  await b.order('{"n":2}');
  // What it said of having no room has been answered.
  await new Promise<void>((resolve) => a.backplane.barrier(resolve));
  // What a asks arrives, and no answer comes back.
  relay.isMute = true;
  a.canTake = true;
  a.backplane.canTake("w");
  const taken = async (): Promise<number> =>
    Number(((await redis.cli("XPENDING", "vectra:commands", "workers")) as [number])[0]);
  while ((await taken()) < 2) await Bun.sleep(10);
  await a.until(() => !isWell(a), "the deadline");
  relay.isMute = false;
  await a.until(() => isWell(a), "the connections");
  for (const tick of ticks) tick();
  expect(await toldDeliveries(a, 2)).toEqual(['w 1 {"n":1}', 'w 1 {"n":2}']);
}, 30_000);
