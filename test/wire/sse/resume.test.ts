import { describe, expect, test } from "bun:test";
import { publishLines, publishOne, receiptOf } from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { joinWorker, OFFLINE, online } from "../../support/parties.ts";
import { numbered, padded } from "../../support/publish.ts";
import { createRandom } from "../../support/random.ts";
import { joinSse, type SseMessage, type SseOptions } from "../../support/sse-stream.ts";
import { joinStream } from "../../support/streamclient.ts";

// Resuming an event stream (PROTOCOL.md sections 3 and 4): Last-Event-ID, or ?since=, and what hello says of it.

const idsOf = (messages: readonly SseMessage[]): string[] => messages.map(({ id }) => id);
const textsOf = (messages: readonly SseMessage[]): string[] => messages.map(({ data }) => data);

test.each<[string, (cursor: string) => SseOptions]>([
  ["Last-Event-ID", (cursor) => ({ lastEventId: cursor })],
  ["?since=", (cursor) => ({ since: cursor })],
])("%s replays exactly what came after it, then live", async (_, options) => {
  await using hub = await startHub();
  const lines = numbered(20);
  const { ids } = receiptOf(await publishLines(hub, lines));
  for (const [at, cursor] of ids.entries()) {
    await using stream = await joinSse(hub, options(cursor));
    expect(stream.hello).toMatchObject({ resumed: true, cursor });
    expect(stream.hello).not.toHaveProperty("reason");
    const { messages, live } = await stream.untilLive();
    expect(idsOf(messages)).toEqual(ids.slice(at + 1));
    expect(textsOf(messages)).toEqual(lines.slice(at + 1));
    expect(live.id).toBe(ids[19] ?? "");
  }
});

test("goes on live behind the seam, without a gap or a double", async () => {
  await using hub = await startHub();
  const { ids } = receiptOf(await publishLines(hub, numbered(3)));
  await using stream = await joinSse(hub, { lastEventId: ids[0] ?? "" });
  await stream.untilLive();
  const next = await publishOne(hub, '{"n":3}');
  expect(await stream.nextMessage()).toEqual({ id: next, data: '{"n":3}' });
  expect(stream.lastId()).toBe(next);
});

test("Last-Event-ID beats ?since=, which a browser repeats from its first connection; an empty one does not", async () => {
  await using hub = await startHub();
  const { ids } = receiptOf(await publishLines(hub, numbered(5)));
  const [first = "", , , fourth = ""] = ids;
  await using back = await joinSse(hub, { since: first, lastEventId: fourth });
  expect(back.hello).toMatchObject({ resumed: true, cursor: fourth });
  expect((await back.untilLive()).messages).toHaveLength(1);
  await using anew = await joinSse(hub, { since: first, lastEventId: "" });
  expect(anew.hello).toMatchObject({ resumed: true, cursor: first });
  await using lost = await joinSse(hub, { since: first, lastEventId: "nonsense" });
  expect(lost.hello).toMatchObject({ resumed: false, reason: "unknown" });
});

test("cursors are the same on WebSocket and SSE, in both directions", async () => {
  await using hub = await startHub();
  await publishLines(hub, numbered(10));
  await using socket = await joinStream(hub, { since: "earliest" });
  const [, , third] = await socket.messages(3);
  await using stream = await joinSse(hub, { lastEventId: third?.id ?? "" });
  const [, fifth] = await stream.messages(2);
  await using back = await joinStream(hub, { since: fifth?.id ?? "" });
  expect((await back.untilLive()).messages.map(({ data }) => data)).toEqual(numbered(5, 5));
});

test("the id of hello and that of live are right to resume from, too", async () => {
  await using hub = await startHub();
  await publishLines(hub, numbered(5));
  await using stream = await joinSse(hub);
  const afterHello = stream.lastId();
  await stream.untilLive();
  const afterLive = stream.lastId();
  await publishLines(hub, numbered(5, 5));
  for (const cursor of [afterHello, afterLive]) {
    await using back = await joinSse(hub, { lastEventId: cursor });
    expect(textsOf((await back.untilLive()).messages)).toEqual(numbered(5, 5));
  }
});

describe("since=earliest", () => {
  test("replays all that is held, and is no error while nothing is", async () => {
    await using hub = await startHub();
    await using early = await joinSse(hub, { since: "earliest" });
    expect(early.hello).toMatchObject({ resumed: true });
    expect((await early.untilLive()).messages).toEqual([]);
    await publishLines(hub, numbered(10));
    await using late = await joinSse(hub, { since: "earliest" });
    expect(late.hello.resumed).toBe(true);
    expect(textsOf((await late.untilLive()).messages)).toEqual(numbered(10));
  });

  test("of a full history starts at the oldest message held", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "10" } });
    const { ids } = receiptOf(await publishLines(hub, numbered(25)));
    await using stream = await joinSse(hub, { since: "earliest" });
    expect(stream.hello).toMatchObject({ resumed: true, cursor: ids[14] ?? "" });
    expect(textsOf((await stream.untilLive()).messages)).toEqual(numbered(10, 15));
  });
});

describe("what cannot be resumed is said so, and nothing is replayed:", () => {
  async function expectNotResumed(
    reason: "none" | "evicted" | "unknown",
    options: (ids: readonly string[]) => SseOptions,
    env: Record<string, string> = {},
  ): Promise<void> {
    await using hub = await startHub({ env });
    const { ids } = receiptOf(await publishLines(hub, padded(50, 4_000)));
    await using stream = await joinSse(hub, options(ids));
    expect(stream.hello).toMatchObject({ resumed: false, reason, cursor: ids[49] ?? "" });
    const { messages, live } = await stream.untilLive();
    expect([messages, live.id]).toEqual([[], ids[49] ?? ""]);
    const id = await publishOne(hub, '{"n":50}');
    expect(await stream.nextMessage()).toEqual({ id, data: '{"n":50}' });
  }

  test("evicted, by HISTORY_MESSAGES", () =>
    expectNotResumed("evicted", (ids) => ({ lastEventId: ids[38] ?? "" }), { HISTORY_MESSAGES: "10" }));

  test("evicted, by HISTORY_BYTES", () =>
    expectNotResumed("evicted", (ids) => ({ lastEventId: ids[25] ?? "" }), {
      HISTORY_BYTES: "65536",
      MAX_MESSAGE_BYTES: "65536",
    }));

  test("evicted, by HISTORY_TTL_MS", async () => {
    await using hub = await startHub({ env: { HISTORY_TTL_MS: "100" } });
    const { ids } = receiptOf(await publishLines(hub, numbered(5)));
    while (true) {
      await using stream = await joinSse(hub, { lastEventId: ids[0] ?? "" });
      if (stream.hello.resumed) continue;
      expect(stream.hello).toMatchObject({ reason: "evicted", cursor: ids[4] ?? "" });
      break;
    }
    await using present = await joinSse(hub, { lastEventId: ids[4] ?? "" });
    expect(present.hello.resumed).toBe(true);
  });

  test("none, without a cursor", () => expectNotResumed("none", () => ({})));
  test("none, with an empty one", () => expectNotResumed("none", () => ({ since: "" })));

  const nonsense = [
    "nonsense",
    "0",
    "-1",
    "EARLIEST",
    "00000000-1",
    "\u{1f511}",
    "x".repeat(65),
    "../..",
    "1,2",
  ];
  test.each(nonsense)("unknown: %s", (since) => expectNotResumed("unknown", () => ({ since })));

  test("unknown: a position that the stream has not reached", () =>
    expectNotResumed("unknown", (ids) => ({
      lastEventId: (ids[49] ?? "").replace(/\d+$/, (offset) => String(Number(offset) + 1)),
    })));

  test("unknown: another hub's cursor", async () => {
    await using other = await startHub();
    const id = await publishOne(other, "{}");
    await expectNotResumed("unknown", () => ({ lastEventId: id }));
  });
});

describe("types", () => {
  test("filters what is replayed like what is live, and the seam is at the head", async () => {
    await using hub = await startHub();
    const cursor = await publishOne(hub, '{"type":"A","n":0}');
    const mixed = Array.from({ length: 300 }, (_, n) => `{"type":"${"ABC"[n % 3]}","n":${n}}`);
    const { ids } = receiptOf(await publishLines(hub, mixed));
    const worker = await joinWorker(hub);
    await worker.close();
    await hub.waitForLog("offline", ({ msg }) => msg === "Worker offline");
    await using stream = await joinSse(hub, { lastEventId: cursor, types: "A,C" });
    const { messages, live } = await stream.untilLive();
    const passing = mixed.filter((text) => !text.includes('"B"'));
    expect(textsOf(messages)).toEqual([...passing, online(), OFFLINE]);
    expect(idsOf(messages.slice(0, 200))).toEqual(ids.filter((_, n) => n % 3 !== 1));
    const last = await publishOne(hub, '{"type":"B"}');
    expect(live.id).not.toBe(last);
    const id = await publishOne(hub, '{"type":"C"}');
    expect(await stream.nextMessage()).toEqual({ id, data: '{"type":"C"}' });
  });
});

describe("a large history", () => {
  test("comes whole and in order to many at once, while more is published", async () => {
    await using hub = await startHub();
    const lines = padded(4_000, 500);
    const { ids } = receiptOf(await publishLines(hub, lines));
    let isDone = false;
    const publishing = (async () => {
      const later: string[] = [];
      while (!isDone) later.push(await publishOne(hub, `{"later":${later.length}}`));
      return later;
    })();
    // More than replay at once: the rest wait in order.
    const resumed = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const stream = await joinSse(hub, { lastEventId: ids[2_000] ?? "" });
        const { messages, live } = await stream.untilLive();
        const after = await stream.messages(3);
        await stream[Symbol.asyncDispose]();
        return { seen: [...idsOf(messages), ...idsOf(after)], live: live.id, count: messages.length };
      }),
    );
    isDone = true;
    const later = await publishing;
    const all = [...ids.slice(2_001), ...later];
    for (const { seen, live, count } of resumed) {
      expect(seen).toEqual(all.slice(0, seen.length));
      expect(live).toBe(seen[count - 1] ?? "");
    }
  });

  test("over many drops at random places loses and repeats nothing", async () => {
    await using hub = await startHub();
    const random = createRandom(3);
    const lines = numbered(1_500);
    await publishLines(hub, lines);
    const seen: string[] = [];
    let cursor: string | undefined;
    while (seen.length < lines.length) {
      await using stream = await joinSse(
        hub,
        cursor === undefined ? { since: "earliest" } : { lastEventId: cursor },
      );
      expect(stream.hello.resumed).toBe(true);
      const count = Math.min(1 + random.below(200), lines.length - seen.length);
      for (const { id, data } of await stream.messages(count)) {
        seen.push(data);
        cursor = id;
      }
    }
    expect(seen).toEqual(lines);
  });
});
