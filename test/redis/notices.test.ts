import { expect } from "bun:test";
import { createProxy } from "../support/proxy.ts";
import { startRedis, testWithRedis as test } from "../support/redis.ts";
import { deliveries, idsOf, isWell, resets, startNode } from "./node.ts";
import { createRelay } from "./relay.ts";

// What a node notices by itself, and what Redis refuses though it is there.

test("a node that falls behind what is held tells its clients, and goes on at the head", async () => {
  await using redis = await startRedis();
  const env = { HISTORY_MESSAGES: "100", REDIS_TIMEOUT_MS: "500" };
  await using proxy = createProxy(`http://127.0.0.1:${redis.port}`);
  await using a = await startNode(redis.url, env);
  await using b = await startNode(proxy.url.replace("http:", "redis:"), env);
  await a.publish('{"n":0}');
  await b.until(() => b.texts().length === 1, "the first");
  proxy.plan(() => ({ isRefused: true }));
  proxy.cutAll("silence");
  for (let n = 0; n < 12; n++) await a.publish(Array.from({ length: 1_000 }, () => `{"n":${n}}`));
  await b.until(() => !isWell(b), "the loss");
  proxy.plan(() => ({}));
  await b.until(() => resets(b).length > 0, "a reset");
  expect(resets(b)).toEqual(["this node had fallen behind"]);
  expect(b.backplane.head()).toBe(12_001);
  const [id = ""] = idsOf(await a.publish('{"end":1}'));
  await b.until(() => b.cursors().includes(id), "the end");
  expect(b.texts()).toEqual(['{"n":0}', '{"end":1}']);
}, 30_000);

test("messages that vanish without a new one are noticed", async () => {
  await using redis = await startRedis();
  await using proxy = createProxy(`http://127.0.0.1:${redis.port}`);
  await using a = await startNode(redis.url);
  await using b = await startNode(proxy.url.replace("http:", "redis:"), { REDIS_TIMEOUT_MS: "500" });
  proxy.plan(() => ({ isRefused: true }));
  proxy.cutAll("reset");
  await a.publish('{"n":1}');
  await redis.cli("DEL", "vectra:messages");
  proxy.plan(() => ({}));
  await b.until(() => resets(b).length > 0, "a reset");
  expect(b.backplane.head()).toBe(1);
}, 30_000);

test("a Redis that is full refuses as storage, and takes again when there is room", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await a.register("w");
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  expect(await a.publish('{"n":1}')).toMatchObject({ ok: false, code: "storage" });
  expect(a.backplane.checks()["redis"]).toMatchObject({ ok: false, detail: expect.stringContaining("OOM") });
  a.backplane.describe("w", '{"name":"Ada"}');
  await Bun.sleep(50);
  await redis.cli("CONFIG", "SET", "maxmemory", "0");
  await a.until(() => isWell(a), "room");
  idsOf(await a.publish('{"n":2}'));
  await a.until(() => a.backplane.status().metadata === '{"name":"Ada"}', "its name");
  await a.until(() => a.texts().length === 1, "the second");
  expect(a.texts()).toEqual(['{"n":2}']);
}, 30_000);

test("a script cache that has been emptied is filled again", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await redis.cli("SCRIPT", "FLUSH");
  idsOf(await a.publish('{"n":1}'));
});

test("a worker outlives a short restart of Redis, and nobody is told anything", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  await a.register("w");
  await redis.restart({ keepData: true });
  await a.until(() => isWell(a), "the connections");
  const [id = ""] = idsOf(await a.publish('{"n":1}', "w"));
  await b.until(() => b.cursors().includes(id), "its message");
  expect(b.told.filter(({ what }) => what === "status")).toHaveLength(1);
  expect(a.told.filter(({ what }) => what === "superseded")).toEqual([]);
}, 30_000);

test("a full table of keys refuses rather than forgets", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  const key = (name: string) => ({ key: name, digest: "d" });
  const first = await a.publish('{"n":1}', undefined, key("k"));
  const later = Date.now() + 600_000;
  const fill = `for i = 1, 99999 do redis.call('ZADD', KEYS[1], ${later}, 'x' .. i) end`;
  await redis.cli("EVAL", fill, "1", "vectra:keyages");
  expect(await a.publish('{"n":2}', undefined, key("other"))).toMatchObject({ code: "keys_full" });
  expect(await a.order('{"n":3}', "queue", key("command"))).toMatchObject({ code: "keys_full" });
  expect(await a.publish('{"n":1}', undefined, key("k"))).toEqual(first);
  idsOf(await a.publish('{"n":4}'));
  await a.until(() => a.texts().length === 2, "those without a key");
});

test("a full Redis still knows who works: leases, commands held, and the end of a worker", async () => {
  await using redis = await startRedis();
  const env = { WORKER_LEASE_MS: "400" };
  await using a = await startNode(redis.url, env);
  await using b = await startNode(redis.url, env);
  await a.register("w");
  a.backplane.ready("w");
  a.canTake = false;
  for (const n of [1, 2]) await a.order(`{"n":${n}}`);
  await a.until(() => deliveries(a).length === 1, "the first");
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  expect(await b.publish('{"n":1}')).toMatchObject({ ok: false, code: "storage" });
  expect(await b.order('{"n":3}')).toMatchObject({ ok: false, code: "storage" });
  await Bun.sleep(800);
  a.canTake = true;
  a.backplane.canTake("w");
  await a.until(() => deliveries(a).length === 2, "the second");
  expect(b.backplane.status().status).toBe("online");
  a.backplane.leave("w");
  await b.until(() => b.backplane.status().status === "offline", "offline");
  expect(isWell(b)).toBe(false);
  await redis.cli("CONFIG", "SET", "maxmemory", "0");
  await b.until(() => isWell(b), "room");
});

test("a call that arrives after later ones of its node is not done any more", async () => {
  await using redis = await startRedis();
  using relay = createRelay(redis.port);
  await using a = await startNode(relay.url, { REDIS_TIMEOUT_MS: "400" });
  relay.hold();
  expect(await a.publish('{"n":1}')).toMatchObject({ ok: false, code: "backplane" });
  await a.until(() => !isWell(a), "the loss");
  await a.until(() => isWell(a), "the new connections");
  idsOf(await a.publish('{"n":2}'));
  relay.release();
  await Bun.sleep(100);
  const [id = ""] = idsOf(await a.publish('{"n":3}'));
  await a.until(() => a.cursors().includes(id), "the end");
  expect(a.texts()).toEqual(['{"n":2}', '{"n":3}']);
  expect(await redis.cli("INFO", "errorstats")).toContain("errorstat_STALE:count=");
});
