import { expect } from "bun:test";
import { startRedis, testWithRedis as test } from "../support/redis.ts";
import { idsOf, type Node, startNode, statuses } from "./node.ts";

// PROTOCOL.md, section 1, one worker at a time; DESIGN.md, the lease is a random token.

const ONLINE = "online {}";
const OFFLINE = "offline null";

/** Waits until a node has been told so many statuses, and gives them. */
async function toldStatuses(node: Node, count: number): Promise<string[]> {
  await node.until(() => statuses(node).length >= count, `${count} statuses`);
  return statuses(node);
}

const superseded = (node: Node): string[] =>
  node.told.flatMap((one) => (one.what === "superseded" ? [`${one.token} ${one.why}`] : []));

test("a status is told once on every node, immediately before the entries that begin with it", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await a.register("w1");
  a.backplane.describe("w1", '{"name":"Ada","n":1.0}');
  idsOf(await a.publish('{"n":1}', "w1"));
  a.backplane.leave("w1");
  const all = [ONLINE, 'online {"name":"Ada","n":1.0}', OFFLINE];
  for (const node of [a, b]) {
    expect(await toldStatuses(node, 3)).toEqual(all);
    await node.until(() => node.cursors().length === 4, "four entries");
    const news = node.told.filter(({ what }) => what === "status" || what === "entry");
    expect(news.map(({ what }) => what)).toEqual([
      "status",
      "entry",
      "status",
      "entry",
      "entry",
      "status",
      "entry",
    ]);
    const texts = node.told.flatMap((one) => (one.what === "entry" ? [one.entry.text] : []));
    expect(texts).toEqual([
      '{"type":"WORKER_STATUS","status":"online","metadata":{}}',
      '{"type":"WORKER_STATUS","status":"online","metadata":{"name":"Ada","n":1.0}}',
      '{"n":1}',
      '{"type":"WORKER_STATUS","status":"offline","metadata":null}',
    ]);
  }
  expect(a.told.filter(({ what }) => what === "registered")).toEqual([
    { what: "registered", token: "w1", text: ONLINE },
  ]);
});

test("a status is counted by the node whose worker brought it about, or that noticed that one is gone", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { WORKER_LEASE_MS: "400" });
  await using b = await startNode(redis.url, { WORKER_LEASE_MS: "400" });
  const counted = (node: Node): number => node.metrics.published.value("hub");
  await a.register("w1");
  a.backplane.describe("w1", '{"name":"Ada"}');
  await toldStatuses(b, 2);
  // Another node may hear of it before the answer has come here.
  await a.until(() => counted(a) === 2, "the count");
  expect(counted(b)).toBe(0);
  a.crash();
  await toldStatuses(b, 3);
  await b.until(() => counted(b) === 1, "the count");
  expect(counted(a)).toBe(2);
});

test("a newer worker on another node replaces the older one, of which nothing enters after that", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await a.register("old");
  idsOf(await a.publish('{"by":"old"}', "old"));
  const late = Array.from({ length: 200 }, (_, at) => a.publish(`{"by":"old","late":${at}}`, "old"));
  await b.register("new");
  idsOf(await b.publish('{"by":"new"}', "new"));
  const results = await Promise.all([...late, a.publish('{"by":"old","last":true}', "old")]);
  await a.until(() => superseded(a).length > 0, "the old one's end");
  expect(superseded(a)).toEqual(["old replaced"]);
  expect(await a.publish('{"by":"old","dead":true}', "old")).toMatchObject({ code: "superseded" });
  a.backplane.leave("old");
  const end = idsOf(await a.publish('{"end":true}'))[0] ?? "";
  await b.until(() => b.cursors().includes(end), "the end");
  const order = b.told.flatMap((one) => (one.what === "entry" ? [one.entry.text] : []));
  const seam = order.lastIndexOf('{"type":"WORKER_STATUS","status":"online","metadata":{}}');
  expect(order.slice(seam).filter((text) => text.includes('"old"'))).toEqual([]);
  const taken = results.filter(({ ok }) => ok).length;
  expect(order.filter((text) => text.includes('"old"'))).toHaveLength(taken + 1);
  expect(statuses(b)).toEqual([ONLINE, ONLINE]);
});

test("the fence is in Redis: a node that has not noticed cannot publish for the old one", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await a.register("old");
  // In one turn: the registration elsewhere is on its way, and the old node knows nothing of it.
  const registered = b.register("new");
  await registered;
  const after = await Promise.all([1, 2, 3].map((n) => a.publish(`{"n":${n}}`, "old")));
  for (const result of after) expect(result).toMatchObject({ ok: false, code: "superseded" });
  await a.until(() => superseded(a).length > 0, "the old one's end");
  expect(superseded(a)).toEqual(["old replaced"]);
});

test("two registrations at the same time: the one that comes later in the stream stays", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  for (let round = 0; round < 10; round++) {
    const [x, y] = [`x${round}`, `y${round}`];
    await Promise.all([a.register(x), b.register(y)]);
    const lost = (): string[] => [...superseded(a), ...superseded(b)].filter((one) => /[xy]/.test(one));
    // Of each round one is out at once, and the one that stayed is out in the next.
    await a.until(() => lost().length >= round * 2 + 1, "one of the two");
    const outcomes = await Promise.all([a.publish('{"t":1}', x), b.publish('{"t":1}', y)]);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
  }
});

test("a node that dies takes its worker offline within the lease; the others say so once", async () => {
  await using redis = await startRedis();
  const env = { WORKER_LEASE_MS: "400" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  await using c = await startNode(redis.url, env);
  await a.register("w");
  await toldStatuses(b, 1);
  const startedMs = performance.now();
  a.crash();
  expect(await toldStatuses(b, 2)).toEqual([ONLINE, OFFLINE]);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(await toldStatuses(c, 2)).toEqual([ONLINE, OFFLINE]);
  const [id = ""] = idsOf(await b.publish('{"end":1}'));
  await c.until(() => c.cursors().includes(id), "the end");
  expect(c.cursors()).toHaveLength(3);
});

test("a live node renews the lease for as long as it takes", async () => {
  await using redis = await startRedis();
  const env = { WORKER_LEASE_MS: "300" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  await a.register("w");
  await Bun.sleep(1_000);
  idsOf(await a.publish('{"still":1}', "w"));
  await b.until(() => b.texts().length === 1, "its message");
  expect(statuses(b)).toEqual([ONLINE]);
  expect(superseded(a)).toEqual([]);
});

test("a node that cannot reach Redis drops its worker when its own lease clock runs out", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { WORKER_LEASE_MS: "400", REDIS_TIMEOUT_MS: "5000" });
  await a.register("w");
  const startedMs = performance.now();
  redis.stop();
  await a.until(() => superseded(a).length > 0, "its end");
  expect(superseded(a)).toEqual(["w lost"]);
  expect(performance.now() - startedMs).toBeLessThan(1_500);
  redis.continue();
  expect((await toldStatuses(a, 2)).at(-1)).toBe(OFFLINE);
});

test("a worker that cannot be registered in time is lost, and leaves no trace", async () => {
  await using redis = await startRedis();
  const env = { REDIS_TIMEOUT_MS: "300" };
  await using a = await startNode(redis.url, env);
  redis.stop();
  a.backplane.register({ token: "w", connId: "c", connectedAtMs: 1, lastSeenAtMs: () => 1 });
  await a.until(() => superseded(a).length > 0, "its end");
  expect(superseded(a)).toEqual(["w lost"]);
  redis.continue();
  await a.until(() => a.backplane.checks()["redis"]?.ok, "the connection");
  await a.until(() => a.backplane.status().status === "offline", "offline");
});

test("with a grace the status stays online until it has passed without a new worker", async () => {
  await using redis = await startRedis();
  const env = { WORKER_OFFLINE_GRACE_MS: "300" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  await a.register("w1");
  a.backplane.leave("w1");
  await b.register("w2");
  await b.publish('{"n":1}', "w2");
  expect(await toldStatuses(a, 2)).toEqual([ONLINE, ONLINE]);
  const startedMs = performance.now();
  b.backplane.leave("w2");
  expect(await toldStatuses(a, 3)).toEqual([ONLINE, ONLINE, OFFLINE]);
  const tookMs = performance.now() - startedMs;
  expect(tookMs).toBeGreaterThan(290);
  expect(tookMs).toBeLessThan(1_000);
});

test("shared: any number work side by side, and the newest one's metadata is the status", async () => {
  await using redis = await startRedis();
  const env = { WORKER_POLICY: "shared" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  await a.register("w1");
  a.backplane.describe("w1", '{"n":1}');
  await b.register("w2");
  b.backplane.describe("w2", '{"n":2}');
  idsOf(await a.publish('{"by":1}', "w1"));
  idsOf(await b.publish('{"by":2}', "w2"));
  b.backplane.leave("w2");
  expect(await toldStatuses(a, 5)).toEqual([
    ONLINE,
    'online {"n":1}',
    ONLINE,
    'online {"n":2}',
    'online {"n":1}',
  ]);
  a.backplane.leave("w1");
  expect((await toldStatuses(b, 6)).at(-1)).toBe(OFFLINE);
  expect([...superseded(a), ...superseded(b)]).toEqual([]);
});

test("GET /worker is answered from Redis on every node", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  expect(await b.backplane.worker()).toEqual({
    status: { status: "offline", metadata: "null" },
    worker: undefined,
    queued: 0,
  });
  await a.register("w");
  await a.order('{"c":1}');
  const state = await b.backplane.worker();
  expect(state).toMatchObject({ status: { status: "online", metadata: "{}" }, queued: 1 });
  expect(state.worker?.connId).toBe("c-w");
  expect(Math.abs(Date.now() - (state.worker?.lastSeenAtMs ?? 0))).toBeLessThan(3_000);
});
