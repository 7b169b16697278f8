import { describe, expect, test } from "bun:test";
import { call, publish, publishLines, publishOne, receiptOf } from "../../support/api.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinWorker, OFFLINE, online, register } from "../../support/parties.ts";
import { numbered } from "../../support/publish.ts";
import { joinLiveSse, joinSse, openSse } from "../../support/sse-stream.ts";
import { joinLive } from "../../support/streamclient.ts";
import { CURSOR } from "../../support/streamframe.ts";

// GET /api/v1/events (PROTOCOL.md section 4; WHATWG HTML, section 9.2): what every stream says, and the live messages.

describe("the response", () => {
  test("is an event stream that nothing on the way may keep or hold back", async () => {
    await using hub = await startHub();
    await using stream = await openSse(hub);
    expect(stream.headers.get("content-type")).toMatch(/^text\/event-stream\b/);
    expect(stream.headers.get("cache-control")).toMatch(/\bno-store\b/);
    expect(stream.headers.get("x-accel-buffering")).toBe("no");
    expect(stream.headers.has("content-length")).toBe(false);
  });

  test("to HEAD has the same headers and no stream behind it", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS: "1" } });
    for (let n = 0; n < 3; n++) {
      const answer = await call(hub, "/api/v1/events", { method: "HEAD" });
      expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: "" });
      expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream\b/);
    }
    expect(receiptOf(await publish(hub, "{}")).receivers).toEqual({ websocket: 0, sse: 0 });
    // The only place is free.
    await using _stream = await joinLiveSse(hub);
  });

  test("is what a browser's fetch reads as well", async () => {
    await using hub = await startHub();
    const abort = new AbortController();
    const response = await fetch(`${hub.url}/api/v1/events`, { signal: abort.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (part: string): Promise<void> => {
      while (!text.includes(part)) text += (await reader?.read())?.value ?? "";
    };
    await until("event: live");
    const id = await publishOne(hub, '{"n":1}');
    await until(`id: ${id}\ndata: {"n":1}\n\n`);
    abort.abort();
  });
});

describe("the first events", () => {
  test("are retry, hello and live, each with what the contract names", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "7777" } });
    await using stream = await openSse(hub);
    const retry = await stream.next();
    expect(retry).toEqual({ retry: expect.stringMatching(/^[1-9]\d*$/), comments: [] });
    const hello = await stream.nextEvent("hello");
    const worker = { status: "offline", metadata: null };
    expect(hello.json).toEqual({
      type: "hello",
      conn_id: expect.stringMatching(/^[0-9a-f]{8}$/),
      cursor: expect.stringMatching(CURSOR),
      resumed: false,
      reason: "none",
      heartbeat_ms: 7777,
      worker,
    });
    expect(hello).toEqual({ id: (hello.json as { cursor: string }).cursor, json: hello.json });
    const live = await stream.nextEvent("live");
    expect(live).toEqual({ id: hello.id, json: { type: "live", id: hello.id, worker } });
  });

  test("tell each client another time to come back", async () => {
    await using hub = await startHub();
    const delays = new Set<number>();
    for (let n = 0; n < 10; n++) {
      await using stream = await joinSse(hub);
      delays.add(stream.retryMs);
    }
    expect(delays.size).toBeGreaterThan(1);
  });

  test("name the head of the stream, where delivery starts", async () => {
    await using hub = await startHub();
    const { ids } = receiptOf(await publishLines(hub, numbered(5)));
    await using stream = await joinSse(hub);
    const { messages, live } = await stream.untilLive();
    expect([stream.hello.cursor, live.id, messages]).toEqual([ids[4] ?? "", ids[4] ?? "", []]);
    const id = await publishOne(hub, '{"n":5}');
    expect(await stream.nextMessage()).toEqual({ id, data: '{"n":5}' });
  });

  test("say the worker's status of that moment, with its metadata as the worker wrote it", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    // Line ends in it must not end the event's line.
    worker.send('{"type":"REGISTER_WORKER","metadata":{\r\n "id":9223372036854775807,\n"load":1.0}}');
    await worker.untilPong();
    await using stream = await openSse(hub);
    await stream.next();
    for (const name of ["hello", "live"]) {
      const block = await stream.next();
      expect(block.event).toBe(name);
      expect(block.data).toContain('"worker":{"status":"online","metadata":{');
      expect(block.data).toContain('"id":9223372036854775807,');
      expect(block.data).toContain('"load":1.0}}');
      expect(block.data).not.toContain("\n");
    }
  });

  test("give each stream a conn_id of its own", async () => {
    await using hub = await startHub();
    await using one = await joinSse(hub);
    await using two = await joinSse(hub);
    expect(one.hello.conn_id).not.toBe(two.hello.conn_id);
  });
});

describe("live messages", () => {
  test("come in the order of the stream, under the cursors that WebSocket clients see", async () => {
    await using hub = await startHub();
    await using stream = await joinLiveSse(hub);
    await using socket = await joinLive(hub);
    for (let n = 0; n < 20; n++) await publishOne(hub, `{"n":${n}}`);
    await publishLines(hub, numbered(500, 20));
    const expected = (await socket.messages(520)).map(({ id, data }) => ({ id, data }));
    expect(await stream.messages(520)).toEqual(expected);
    expect(stream.lastId()).toBe(socket.cursor());
  });

  test("have no event name, and an empty object is one, too", async () => {
    await using hub = await startHub();
    await using stream = await joinLiveSse(hub);
    const id = await publishOne(hub, "{}");
    expect(await stream.next()).toEqual({ id, data: "{}", comments: [] });
  });

  test("are the worker's status as well, in its place in the stream", async () => {
    await using hub = await startHub();
    await using stream = await joinLiveSse(hub);
    const worker = await joinWorker(hub);
    worker.send('{"n":1}');
    worker.send(register({ name: "w" }));
    worker.send('{"n":2}');
    await worker.untilPong();
    await worker.close();
    expect(await stream.texts(5)).toEqual([
      ...[online(), '{"n":1}', online({ name: "w" }), '{"n":2}', OFFLINE],
    ]);
  });

  test("of a megabyte, with letters of every width, are whole", async () => {
    await using hub = await startHub();
    await using stream = await joinLiveSse(hub);
    const text = `{"s":"${"é 鍵 \u{1f511}".repeat(80_000)}"}`;
    await publishOne(hub, text);
    expect((await stream.nextMessage()).data === text).toBe(true);
  });

  test("reach 100 streams alike", async () => {
    await using hub = await startHub();
    const streams = await Promise.all(Array.from({ length: 100 }, () => joinLiveSse(hub)));
    const lines = numbered(100);
    await publishLines(hub, lines);
    for (const stream of streams) {
      expect(await stream.texts(100)).toEqual(lines);
      await stream[Symbol.asyncDispose]();
    }
  });
});

describe("types", () => {
  const lines = ["A", "B", "a", "AB", "A.1_x:-", ""].map((type) => `{"type":"${type}"}`);
  const others = ['{"n":1}', '{"type":5}', '{"type":["A"]}', '{"data":{"type":"A"}}', '{"type":"A B"}'];

  async function seen(hub: Hub, types: string): Promise<string[]> {
    await using stream = await joinLiveSse(hub, { types });
    await publishLines(hub, [...lines, ...others]);
    // Its arrival shows that everything before it has been sent or left out.
    await using _worker = await joinWorker(hub);
    const texts: string[] = [];
    for (let data = ""; data !== online(); texts.push(data)) data = (await stream.nextMessage()).data;
    return texts;
  }

  test.each([
    ["A", ['{"type":"A"}']],
    ["B,A", ['{"type":"A"}', '{"type":"B"}']],
    ["A,A", ['{"type":"A"}']],
    ["A.1_x:-", ['{"type":"A.1_x:-"}']],
    ["NOTHING", []],
    ["WORKER_STATUS", []],
  ])("%s lets through these and the worker's status, nothing else", async (types, expected) => {
    await using hub = await startHub();
    expect(await seen(hub, types)).toEqual([...expected, online()]);
  });

  test("a duplicate type counts as its last, as JSON.parse has it", async () => {
    await using hub = await startHub();
    await using a = await joinLiveSse(hub, { types: "A" });
    await using b = await joinLiveSse(hub, { types: "B" });
    await publishLines(hub, ['{"type":"A","type":"B"}', '{"type":"A"}']);
    expect(await b.texts(1)).toEqual(['{"type":"A","type":"B"}']);
    expect(await a.texts(1)).toEqual(['{"type":"A"}']);
  });
});
