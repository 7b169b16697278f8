import { describe, expect, test } from "bun:test";
import { publishLines, publishOne, receiptOf } from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { numbered, padded } from "../../support/publish.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinLive } from "../../support/streamclient.ts";
import type { WsClient } from "../../support/wsclient.ts";

// POST /api/v1/publish (PROTOCOL.md section 4): the receipt, and what the receivers get.

const VERBATIM: Record<string, string> = {
  "an empty object": "{}",
  "key order and spacing": '{"z" :1,\t"a": 2 , "type":"B"  ,"m":{ }}',
  "64-bit integers": '{"id":9223372036854775807,"min":-9223372036854775808,"u":18446744073709551615}',
  "numbers in unusual forms": '{"a":1.0,"b":1e2,"c":1E+2,"d":-0,"e":1e400,"f":0.1e-400}',
  "duplicate keys": '{"type":"A","type":"B","x":1,"x":2}',
  "escapes that need not be": '{"\\u0074ype":"\\u0041","s":"\\/\\u00e9\\n\\r\\t"}',
  "a lone surrogate as an escape": '{"s":"\\ud800"}',
  "letters of every width": '{"s":"é 鍵 \u{1f511} \u{10ffff} \ufffd \ufeff\u2028\u2029\u0085\u007f"}',
  "what SSE and HTTP read as structure": '{"s":"data: x","id: 5":"\\n\\nevent: goodbye","c":": "}',
  "line ends between tokens": '{\r\n\t"a": 1,\n"b":[\r1\n\n]\r\n}',
  "white space around it": ' \r\n\t{"type":"A"}\n \r\n',
  "keys of the language": '{"__proto__":{"a":1},"constructor":1,"toString":null}',
};

test.each(Object.keys(VERBATIM))("a message arrives byte for byte: %s", async (name) => {
  const text = VERBATIM[name] ?? "";
  await using hub = await startHub();
  await using raw = await joinClient(hub);
  await using stream = await joinLive(hub);
  await using sse = await joinLiveSse(hub);
  const id = await publishOne(hub, text);
  expect(await raw.next()).toBe(text);
  expect(await stream.messages(1)).toEqual([{ type: "message", id, data: text }]);
  // An event's data is one line: what ends a line can only be insignificant white space, and becomes a space.
  expect(await sse.nextMessage()).toEqual({ id, data: text.replace(/[\r\n]/g, " ") });
});

describe("the receipt", () => {
  test("names one cursor for each message, the same that the receivers see", async () => {
    await using hub = await startHub();
    await using stream = await joinLive(hub);
    await using sse = await joinLiveSse(hub);
    const lines = numbered(50);
    const { ids } = receiptOf(await publishLines(hub, lines));
    const one = await publishOne(hub, '{"n":50}');
    const all = [...ids, one];
    expect(new Set(all).size).toBe(51);
    expect((await stream.messages(51)).map(({ id }) => id)).toEqual(all);
    expect((await sse.messages(51)).map(({ id }) => id)).toEqual(all);
  });
});

test("a worker gets nothing of what is published over HTTP", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  await publishOne(hub, '{"type":"A"}');
  expect(await worker.untilPong()).toEqual([]);
});

test("what a worker and backends publish reaches everybody in one order", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  await using raw = await joinClient(hub, online());
  await using sse = await joinLiveSse(hub);
  await using stream = await joinLive(hub);
  const backend = async (name: string): Promise<void> => {
    for (let n = 0; n < 40; n++) await publishOne(hub, `{"by":"${name}","n":${n}}`);
  };
  const done = Promise.all([backend("a"), backend("b"), publishLines(hub, numbered(100))]);
  for (let n = 0; n < 40; n++) worker.send(`{"by":"worker","n":${n}}`);
  await done;

  const seen: string[] = [];
  while (seen.length < 220) seen.push(await raw.next());
  expect(await stream.texts(220)).toEqual(seen);
  expect(await sse.texts(220)).toEqual(seen);
  for (const name of ["a", "b", "worker"]) {
    const own = seen.map((text) => JSON.parse(text)).filter(({ by }) => by === name);
    expect(own.map(({ n }) => n)).toEqual(Array.from({ length: 40 }, (_, n) => n));
  }
  // A batch enters the stream in one piece.
  const first = seen.indexOf(numbered(1)[0] ?? "");
  expect(seen.slice(first, first + 100)).toEqual(numbered(100));
});

test("an answered message is there for who comes later", async () => {
  await using hub = await startHub();
  const ids: string[] = [];
  for (const text of numbered(3)) ids.push(await publishOne(hub, text));
  await using sse = await joinLiveSse(hub, { since: ids[0] ?? "" });
  expect(sse.lastId()).toBe(ids[2] ?? "");
});

describe("a batch of 16 MB", () => {
  // More than a batch may wait for a reader here, so that how fast a test machine reads decides nothing.
  const env = { SLOW_CONSUMER_BYTES: "33554432" };
  const batches: Record<string, string[]> = {
    "of 10,000 messages": padded(10_000, 1_600),
    "of 16 messages": padded(15, 1_048_576),
  };

  async function expectAll(client: WsClient, lines: readonly string[]): Promise<void> {
    for (const line of lines) if ((await client.next()) !== line) throw new Error("another message was due");
  }

  test.each(Object.keys(batches))("%s reaches everybody, whole and in order", async (name) => {
    const lines = batches[name] ?? [];
    await using hub = await startHub({ env });
    await using raw = await joinClient(hub);
    await using sse = await joinLiveSse(hub);
    const { ids } = receiptOf(await publishLines(hub, lines));
    expect(ids).toHaveLength(lines.length);
    const next = await publishOne(hub, '{"type":"NEXT"}');
    await expectAll(raw, [...lines, '{"type":"NEXT"}']);
    const events = await sse.messages(lines.length + 1);
    expect(events.map(({ id }) => id)).toEqual([...ids, next]);
    for (const [at, line] of lines.entries()) {
      if (events[at]?.data !== line) throw new Error(`event ${at} says something else`);
    }
  });
});

test("nothing is replayed to a raw client, which has no cursor", async () => {
  await using hub = await startHub();
  await publishOne(hub, "{}");
  await using client = await joinClient(hub);
  expect(await client.untilPong()).toEqual([]);
});
