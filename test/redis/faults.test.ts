import { expect } from "bun:test";
import type { Published } from "../../src/backplane/backplane.ts";
import { type Redis, startRedis, testWithRedis as test } from "../support/redis.ts";
import { idsOf, isWell, type Node, resets, startNode } from "./node.ts";

// DESIGN.md, decisions: what was acknowledged is not lost, every hole is told, and no cursor means two messages.

/** Publishes one after the other until told to stop, without waiting for the answers. */
function publishAlong(node: Node, by: string) {
  const results: { readonly text: string; readonly result: Promise<Published> }[] = [];
  const timer = setInterval(() => {
    for (let many = 0; many < 5; many++) {
      const text = `{"by":"${by}","n":${results.length}}`;
      results.push({ text, result: node.publish(text) });
    }
  }, 2);
  return {
    async stop(): Promise<{ readonly taken: Map<string, string>; readonly refused: string[] }> {
      clearInterval(timer);
      const taken = new Map<string, string>();
      const refused: string[] = [];
      for (const { text, result } of results) {
        const settled = await result;
        if (settled.ok) taken.set(text, settled.ids[0] ?? "");
        else refused.push(text);
      }
      return { taken, refused };
    },
  };
}

/** Everything acknowledged is there once, under its cursor, in the order of the publishes; on both nodes alike. */
async function expectWhole(nodes: readonly Node[], outcomes: readonly Map<string, string>[]): Promise<void> {
  const [id = ""] = idsOf(await (nodes[0] as Node).publish('{"by":"end"}'));
  for (const node of nodes) {
    await node.until(() => node.cursors().includes(id), "the last message");
    const textOf = new Map<string, string>();
    for (const one of node.told) {
      if (one.what !== "entry") continue;
      expect(textOf.has(one.entry.cursor)).toBe(false);
      textOf.set(one.entry.cursor, one.entry.text);
    }
    expect(new Set(node.texts()).size).toBe(node.texts().length);
    for (const taken of outcomes) {
      for (const [text, cursor] of taken) expect(textOf.get(cursor)).toBe(text);
    }
    expect(resets(node)).toEqual([]);
  }
  expect(nodes[0]?.cursors()).toEqual(nodes[1]?.cursors() ?? []);
}

async function killClients(redis: Redis): Promise<void> {
  await redis.cli("CLIENT", "KILL", "TYPE", "normal");
}

test("connections killed under load: nothing acknowledged is lost, nothing comes twice, nothing is refused", async () => {
  await using redis = await startRedis();
  const env = { HISTORY_MESSAGES: "100000" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  const load = [publishAlong(a, "a"), publishAlong(b, "b")];
  for (let round = 0; round < 15; round++) {
    await Bun.sleep(60);
    await killClients(redis);
  }
  const outcomes = await Promise.all(load.map((one) => one.stop()));
  expect(outcomes.flatMap(({ refused }) => refused)).toEqual([]);
  await expectWhole(
    [a, b],
    outcomes.map(({ taken }) => taken),
  );
  const reconnects = a.metrics.registry.render();
  expect(reconnects).toMatch(/vectra_redis_reconnects_total\{connection="commands"\} [1-9]/);
  expect(reconnects).toMatch(/vectra_redis_reconnects_total\{connection="tail"\} [1-9]/);
}, 30_000);

test("a restart with its data: a new epoch, the old cursors stay valid, nobody has to come back", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  const load = publishAlong(a, "a");
  await a.until(() => a.texts().length > 50, "some");
  const [old = ""] = a.cursors();
  await redis.restart({ keepData: true });
  const seen = a.texts().length;
  await a.until(() => a.texts().length > seen + 20, "more");
  const { taken } = await load.stop();
  await expectWhole([a, b], [taken]);
  expect(new Set(a.cursors().map((cursor) => cursor.split("-")[0])).size).toBe(2);
  expect(a.backplane.locate(old)).toEqual({ ok: true, offset: 1 });
  await a.until(() => isWell(a) && isWell(b), "the connections");
}, 30_000);

test("a restart without its data: a new epoch, everybody has to come back, old cursors are unknown", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  const ids = idsOf(await a.publish(['{"n":1}', '{"n":2}', '{"n":3}']));
  await b.until(() => b.texts().length === 3, "three");
  await redis.restart({ keepData: false });
  for (const node of [a, b]) {
    await node.until(() => resets(node).length > 0, "a reset");
    expect(resets(node)).toEqual(["Redis has lost messages"]);
    expect(node.backplane.head()).toBe(0);
    await node.until(() => isWell(node), "somebody to ask about cursors");
    for (const id of ids) expect(await node.backplane.locate(id)).toEqual({ ok: false, reason: "unknown" });
  }
  await b.until(() => isWell(b), "the connections");
  const [next = ""] = idsOf(await b.publish('{"new":1}'));
  expect(ids).not.toContain(next);
  await a.until(() => a.texts().length === 4, "the new one");
  expect(a.cursors().at(-1)).toBe(next);
}, 30_000);

test("FLUSHALL without a restart: as if it had lost its data", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await a.register("w");
  const ids = idsOf(await a.publish(['{"n":1}', '{"n":2}']));
  await b.until(() => b.texts().length === 2, "two");
  await redis.cli("FLUSHALL");
  for (const node of [a, b]) {
    await node.until(() => resets(node).length > 0, "a reset");
    await node.until(() => node.backplane.status().status === "offline", "offline");
    expect(await node.backplane.locate(ids[1] ?? "")).toEqual({ ok: false, reason: "unknown" });
  }
  await a.until(() => a.told.some(({ what }) => what === "superseded"), "the worker's end");
  idsOf(await a.publish('{"n":3}'));
  await b.until(() => b.texts().length === 3, "the new one");
  await b.register("w2");
  b.backplane.ready("w2");
  await a.order('{"c":1}');
  await b.until(() => b.told.some(({ what }) => what === "command"), "a command");
}, 30_000);

test("a restored older state: what has been lost is told, and its cursors never come to mean something else", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  const kept = idsOf(await a.publish(['{"n":1}', '{"n":2}']));
  await a.until(() => a.texts().length === 2, "two");
  const names = (await redis.cli("KEYS", "*")) as string[];
  const backup: [string, string[]][] = [];
  const { RedisClient } = await import("bun");
  const client = new RedisClient(redis.url);
  for (const name of names) {
    // What RESTORE takes is binary, which the client's own send does not carry: a copy inside Redis does.
    await client.send("COPY", [name, `copy:${name}`]);
    backup.push([name, []]);
  }
  const lost = idsOf(await a.publish(['{"n":3}', '{"n":4}', '{"n":5}']));
  await a.until(() => a.texts().length === 5, "five");
  // All at once, as a restore would be; no restart that would show itself.
  const script = backup.map(([name]) => `redis.call('COPY','copy:${name}','${name}','REPLACE')`).join("\n");
  await client.send("EVAL", [script, "0"]);
  await killClients(redis);
  client.close();
  await a.until(() => resets(a).length > 0, "a reset");
  await a.until(() => isWell(a), "the connections");
  const fresh = idsOf(await a.publish(['{"x":3}', '{"x":4}', '{"x":5}']));
  expect(fresh.filter((id) => lost.includes(id))).toEqual([]);
  for (const id of lost) expect(await a.backplane.locate(id)).toEqual({ ok: false, reason: "unknown" });
  expect(a.backplane.locate(kept[1] ?? "")).toEqual({ ok: true, offset: 2 });
}, 30_000);

test("a Redis that stops: refused at the deadline, at most once in the stream, and a keyed resend is safe", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { REDIS_TIMEOUT_MS: "400" });
  await using b = await startNode(redis.url);
  await a.publish('{"n":0}');
  redis.stop();
  const key = { key: "k", digest: "d" };
  const startedMs = performance.now();
  const results = await Promise.all([a.publish('{"n":1}', undefined, key), a.publish('{"n":2}')]);
  expect(performance.now() - startedMs).toBeLessThan(1_500);
  for (const result of results) expect(result).toMatchObject({ ok: false, code: "backplane" });
  expect((results[0] as { detail: string }).detail).toContain("unknown whether this was taken");
  await a.until(() => !isWell(a), "the check");
  redis.continue();
  await a.until(() => isWell(a), "the connections");
  const [id = ""] = idsOf(await a.publish('{"n":1}', undefined, key));
  await b.until(() => b.cursors().includes(id), "the resend");
  await b.publish('{"end":1}');
  await b.until(() => b.texts().includes('{"end":1}'), "the end");
  expect(b.texts().filter((text) => text === '{"n":1}')).toHaveLength(1);
  expect(b.texts().filter((text) => text === '{"n":2}').length).toBeLessThan(2);
}, 30_000);

test("while Redis is away a bounded number waits and the rest is refused at once; what waited is taken", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { REDIS_BUFFER_MESSAGES: "10", REDIS_TIMEOUT_MS: "10000" });
  await redis.kill();
  await a.until(() => !isWell(a), "the loss");
  const startedMs = performance.now();
  const all = Array.from({ length: 15 }, (_, n) => a.publish(`{"n":${n}}`));
  const refused = await Promise.all(all.slice(10));
  expect(performance.now() - startedMs).toBeLessThan(200);
  for (const result of refused) expect(result).toMatchObject({ ok: false, code: "backplane" });
  expect(a.metrics.registry.render()).toContain("vectra_redis_buffered_messages 10\n");
  expect(a.metrics.registry.render()).toContain('vectra_redis_refused_total{reason="buffer"} 5\n');
  await redis.start();
  for (const result of await Promise.all(all.slice(0, 10))) idsOf(result);
  await a.until(() => a.texts().length === 10, "what waited");
}, 30_000);

test("the buffer's bytes are bounded, too", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { REDIS_BUFFER_BYTES: "10000", REDIS_TIMEOUT_MS: "400" });
  await redis.kill();
  await a.until(() => !isWell(a), "the loss");
  const large = `{"x":"${"y".repeat(6_000)}"}`;
  const [first, second] = [a.publish(large), a.publish(large)];
  expect(await second).toMatchObject({
    code: "backplane",
    detail: expect.stringContaining("REDIS_BUFFER_BYTES"),
  });
  expect(await first).toMatchObject({
    code: "backplane",
    detail: expect.stringContaining("nothing was taken"),
  });
});

test("while Redis is away a barrier holds nobody up, and what is known is answered", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  const [id = ""] = idsOf(await a.publish('{"n":1}'));
  await a.until(() => a.texts().length === 1, "it");
  await redis.kill();
  await a.until(() => !isWell(a), "the loss");
  let isDone = false;
  a.backplane.barrier(() => {
    isDone = true;
  });
  expect(isDone).toBe(true);
  expect(a.backplane.locate(id)).toEqual({ ok: true, offset: 1 });
  expect(await a.backplane.worker()).toMatchObject({ status: { status: "offline" } });
  expect(resets(a)).toEqual([]);
});
