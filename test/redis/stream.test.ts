import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { startRedis, testWithRedis as test } from "../support/redis.ts";
import { idsOf, startNode } from "./node.ts";

// DESIGN.md, decisions: several nodes are one stream.

const keyOf = (key: string, text: string) => ({
  key,
  digest: createHash("sha256").update(text).digest("base64url"),
});
const numbers = (count: number, by: string): string[] =>
  Array.from({ length: count }, (_, at) => `{"by":"${by}","n":${at}}`);

test("two nodes see the same messages in the same order, under the same cursors", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  const results = await Promise.all([
    ...numbers(200, "a").map((text) => a.publish(text)),
    ...numbers(200, "b").map((text) => b.publish(text)),
  ]);
  const ids = results.flatMap(idsOf);
  await a.until(() => a.texts().length === 400, "400 messages at a");
  await b.until(() => b.texts().length === 400, "400 messages at b");
  expect(a.texts()).toEqual(b.texts());
  expect(a.cursors()).toEqual(b.cursors());
  expect(new Set(ids)).toEqual(new Set(a.cursors()));
  expect(a.texts().filter((text) => text.includes('"a"'))).toEqual(numbers(200, "a"));
  const held = b.backplane.read(0, 400, 1_000, 1e9);
  expect(held).toMatchObject({ evicted: false });
});

test("a text comes byte for byte, its type as it is", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  const texts = [
    '{"type":"","n":1.0}',
    '{ "type" : "X", "big":12345678901234567890 }',
    '{"a":"hällo \\u0000 🎉"}',
  ];
  for (const text of texts) idsOf(await a.publish(text));
  await a.until(() => a.texts().length === 3, "three messages");
  expect(a.texts()).toEqual(texts);
  const types = a.told.map((one) => (one.what === "entry" ? one.entry.type : "no entry"));
  expect(types).toEqual(["", "X", undefined]);
});

test("a repeat gets the first answer on every node; another body is a mismatch", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  const [one, two] = ['{"n":1}', '{"n":2}'];
  const first = await a.publish([one, two], undefined, keyOf("k", "both"));
  expect(first).toEqual({ ok: true, ids: idsOf(first), receivers: { websocket: 2, sse: 1 } });
  expect(await b.publish([one, two], undefined, keyOf("k", "both"))).toEqual(first);
  expect(await b.publish([two], undefined, keyOf("k", "other"))).toMatchObject({ code: "key_mismatch" });
  // Two at the same time: one is done.
  const both = await Promise.all([
    a.publish(one, undefined, keyOf("q", "1")),
    b.publish(one, undefined, keyOf("q", "1")),
  ]);
  expect(both[0]).toEqual(both[1]);
  await a.until(() => a.texts().length === 3, "three messages");
  const end = await a.publish('{"end":1}');
  await a.until(() => a.cursors().includes(idsOf(end)[0] ?? ""), "the last one");
  expect(a.texts()).toHaveLength(4);
});

test("a batch larger than a call is one unit", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { HISTORY_MESSAGES: "20000" });
  const ids = idsOf(await a.publish(numbers(12_000, "big")));
  expect(new Set(ids).size).toBe(12_000);
  await a.until(() => a.texts().length === 12_000, "all");
  expect(a.cursors()).toEqual([...ids]);
});

test("a node joins without replaying, and resumes what another has given out", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  const ids: string[] = [];
  for (const text of numbers(50, "a")) ids.push(...idsOf(await a.publish(text)));
  await using b = await startNode(redis.url);
  expect(b.backplane.head()).toBe(50);
  expect(b.told).toEqual([]);
  expect(b.backplane.cursorAt(50)).toBe(ids[49] ?? "");
  expect(b.backplane.locate("earliest")).toEqual({ ok: true, offset: 0 });
  expect(b.backplane.locate(ids[9] ?? "")).toEqual({ ok: true, offset: 10 });
  const page = await b.backplane.read(10, 50, 1_000, 1e9);
  expect(page.evicted ? [] : page.entries.map(({ cursor }) => cursor)).toEqual(ids.slice(10));
  expect(await b.backplane.locate("00000000-3")).toEqual({ ok: false, reason: "unknown" });
  expect(await b.backplane.locate((ids[49] ?? "").replace(/-50$/, "-51"))).toEqual({
    ok: false,
    reason: "unknown",
  });
});

test("a cursor that another node has given out a moment ago is waited for", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  for (let round = 0; round < 50; round++) {
    const [id = ""] = idsOf(await a.publish(`{"round":${round}}`));
    expect(await b.backplane.locate(id)).toEqual({ ok: true, offset: round + 1 });
    expect(b.backplane.head()).toBeGreaterThan(round);
  }
});

test("after a barrier the hub has been told of everything that was promised", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url);
  await using b = await startNode(redis.url);
  for (let round = 0; round < 30; round++) {
    await a.publish(`{"round":${round}}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    b.backplane.barrier(resolve);
    await promise;
    expect(b.texts()).toHaveLength(round + 1);
  }
});

test("what has been trimmed is evicted, at the limits of messages, bytes and age", async () => {
  await using redis = await startRedis();
  const limits = {
    HISTORY_MESSAGES: "100",
    HISTORY_BYTES: "65536",
    MAX_MESSAGE_BYTES: "65536",
    HISTORY_TTL_MS: "600",
  };
  await using a = await startNode(redis.url, limits);
  const [first = ""] = idsOf(await a.publish('{"n":0}'));
  idsOf(await a.publish(numbers(150, "a")));
  await a.until(() => a.texts().length === 151, "all");
  expect(a.backplane.locate(first)).toEqual({ ok: false, reason: "evicted" });
  expect(a.backplane.fill().messages).toBe(100);
  {
    await using b = await startNode(redis.url, limits);
    expect(b.backplane.fill().messages).toBe(100);
    expect(b.backplane.locate(first)).toEqual({ ok: false, reason: "evicted" });
  }
  const large = `{"x":"${"y".repeat(40_000)}"}`;
  idsOf(await a.publish([large, large]));
  await a.until(() => a.texts().length === 153, "the large ones");
  expect(a.backplane.fill().messages).toBe(1);
  {
    await using b = await startNode(redis.url, limits);
    expect(b.backplane.fill().messages).toBe(1);
  }
  await a.until(() => a.backplane.fill().messages === 0, "the age limit");
  const head = a.backplane.cursorAt(a.backplane.head());
  expect(a.backplane.locate(head)).toEqual({ ok: true, offset: 153 });
  await using b = await startNode(redis.url, limits);
  expect(b.backplane.head()).toBe(153);
});

test("conflation holds a message back, and the next uncovered one lets it go first", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { CONFLATE: "P:id:60000" });
  const results: unknown[] = [];
  const send = (text: string, conflationKey?: string): void => {
    const type = (JSON.parse(text) as { type: string }).type;
    const messages = [{ text, type, conflationKey }];
    const done = (result: unknown): void => void results.push(result);
    a.backplane.append({ messages, source: "http", worker: undefined, key: undefined, done });
  };
  for (const n of [1, 2, 3]) send(`{"type":"P","id":"x","n":${n}}`, "x");
  send('{"type":"Q"}');
  await a.until(() => results.length === 4, "four answers");
  await a.until(() => a.texts().length === 3, "three messages");
  expect(a.texts()).toEqual(['{"type":"P","id":"x","n":1}', '{"type":"P","id":"x","n":3}', '{"type":"Q"}']);
  expect(a.backplane.conflated()).toBe(1);
});
