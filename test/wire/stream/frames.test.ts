import { describe, expect, test } from "bun:test";
import { startHub } from "../../support/hub.ts";
import { joinRawWorker, joinWorker, OFFLINE, online, register } from "../../support/parties.ts";
import { numbered, publish } from "../../support/publish.ts";
import { joinLive, joinStream, joinStreamWorker, openStream } from "../../support/streamclient.ts";

// PROTOCOL.md section 3: what the hub sends to a client.

const AWAY = { status: "offline", metadata: null } as const;

describe("hello and live", () => {
  test("greet a client that asks for nothing: not resumed, and live at once", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "7000" } });
    await using client = await joinStream(hub);
    const { conn_id, cursor, ...rest } = client.hello;
    expect(rest).toEqual({
      type: "hello",
      resumed: false,
      reason: "none",
      heartbeat_ms: 7000,
      worker: AWAY,
    });
    expect(conn_id).toMatch(/^[0-9a-f]{8}$/);
    expect(await client.untilPong()).toEqual([{ type: "live", id: cursor, worker: AWAY }]);
  });

  test("the default heartbeat is 25 seconds", async () => {
    await using hub = await startHub();
    await using client = await joinStream(hub);
    expect(client.hello.heartbeat_ms).toBe(25_000);
  });

  test("say the worker's status of that moment, with its metadata as the worker wrote it", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using early = await joinStream(hub);
    expect(early.hello.worker).toEqual({ status: "online", metadata: {} });
    const metadata = '{"host":"h1","pid":12345678901234567890,"f":1.0}';
    worker.send(`{"type":"REGISTER_WORKER","metadata":${metadata}}`);
    await worker.untilPong();
    await using late = await openStream(hub);
    for (const greeting of [await late.nextText(), await late.nextText()]) {
      expect(greeting).toEndWith(`,"worker":{"status":"online","metadata":${metadata}}}`);
    }
    await early.untilLive();
    expect(await early.texts(1)).toEqual([
      `{"type":"WORKER_STATUS","status":"online","metadata":${metadata}}`,
    ]);
  });

  test("name the head of the stream, where delivery starts", async () => {
    await using hub = await startHub();
    await using empty = await joinLive(hub);
    const { ids } = await publish(hub, numbered(3));
    await using client = await joinStream(hub);
    expect(client.hello.cursor).toBe(ids.at(-1) as string);
    expect((await client.untilLive()).messages).toEqual([]);
    const after = await publish(hub, '{"n":3}');
    expect(await client.messages(1)).toEqual([
      { type: "message", id: after.ids[0] as string, data: '{"n":3}' },
    ]);
    expect((await empty.messages(4)).map(({ id }) => id)).toEqual([...ids, ...after.ids]);
  });

  test("conn_id is another one for each connection, and the one in the log", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    await using one = await joinStream(hub);
    await using two = await joinStream(hub);
    expect(one.hello.conn_id).not.toBe(two.hello.conn_id);
    for (const { hello } of [one, two]) {
      await hub.waitForLog("the connection", (line) => line["conn_id"] === hello.conn_id);
    }
  });

  test("live comes once, whatever happens", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "50" } });
    await publish(hub, numbered(10));
    await using client = await joinLive(hub, { since: "earliest" });
    await using _worker = await joinWorker(hub);
    await publish(hub, numbered(10, 10));
    await client.raw.waitForPings(3);
    const types = new Set((await client.untilPong()).map(({ type }) => type));
    expect(types).toEqual(new Set(["message", "position"]));
  });
});

describe("a message", () => {
  test("carries its text byte for byte, and the cursor of its receipt", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    const texts = [
      '{ "type" : "DOC_UPDATE",\r\n\t"n": 12345678901234567890, "f": 1.0, "e": 1E2 }',
      '{"a":1,"a":2,"__proto__":{"b":3}}',
      '{"s":"\\u0000\\ud800 \\/ \u2028 🔑"}',
      '{"type":"message","id":"forged","data":{"type":"live"}}',
      `{"deep":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
      `{"long":"${"é".repeat(300_000)}"}`,
    ];
    for (const text of texts) {
      const { ids } = await publish(hub, text);
      expect(await client.messages(1)).toEqual([{ type: "message", id: ids[0] as string, data: text }]);
    }
  });

  test("of WORKER_STATUS is one like any other, in its place in the stream", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await publish(hub, '{"n":0}');
    const worker = await joinRawWorker(hub);
    worker.text('{"n":1}');
    worker.text(register({ host: "h" }));
    worker.text('{"n":2}');
    await worker.untilPong();
    await worker[Symbol.asyncDispose]();
    const expected = ['{"n":0}', online(), '{"n":1}', online({ host: "h" }), '{"n":2}', OFFLINE];
    const messages = await client.messages(expected.length);
    expect(messages.map(({ data }) => data)).toEqual(expected);
    expect(new Set(messages.map(({ id }) => id)).size).toBe(expected.length);
  });
});

describe("position", () => {
  test("comes with every heartbeat, and names how far the stream is", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "50" } });
    await using all = await joinLive(hub);
    await using filtered = await joinLive(hub, { types: "DOC_DELETED" });
    const positionsOf = async (client: typeof all, id: string): Promise<void> => {
      // Some may be older than the publish; from then on each says the same.
      for (let frame = await client.next(); frame.type !== "position" || frame.id !== id; ) {
        frame = await client.next();
      }
      expect(await client.next()).toEqual({ type: "position", id });
      expect(client.cursor()).toBe(id);
    };
    for (const n of [1, 2]) {
      const { ids } = await publish(hub, numbered(3, n));
      await positionsOf(all, ids[2] as string);
      await positionsOf(filtered, ids[2] as string);
    }
  });

  test("comes every HISTORY_MESSAGES/10 messages, to those as well whose filter lets nothing through", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "200" } });
    await using all = await joinLive(hub);
    await using filtered = await joinLive(hub, { types: "DOC_DELETED" });
    const { ids } = await publish(hub, numbered(200));

    const frames = await all.untilPong();
    const positions = frames.filter(({ type }) => type === "position");
    expect(positions).toHaveLength(10);
    // Each names the message before it.
    frames.forEach((frame, at) => {
      if (frame.type === "position") expect(frames[at - 1]).toMatchObject({ type: "message", id: frame.id });
    });
    const told = await filtered.untilPong();
    expect(told).toEqual(positions);
    // From the last one a client resumes that has seen no message at all, and has missed little.
    expect(ids.indexOf(filtered.cursor())).toBeGreaterThanOrEqual(ids.length - 20);
    expect((await joinAndLeave(filtered.cursor())).hello.resumed).toBe(true);

    async function joinAndLeave(since: string): ReturnType<typeof joinStream> {
      await using client = await joinStream(hub, { since });
      return client;
    }
  });
});

describe("the bare texts", () => {
  test("ping is answered with pong, get_worker_status with a worker frame to the asker alone", async () => {
    await using hub = await startHub();
    await using asker = await joinLive(hub);
    await using bystander = await joinLive(hub);
    asker.send("ping");
    expect(await asker.raw.nextText()).toBe("pong");
    asker.send("get_worker_status");
    expect(await asker.raw.nextText()).toBe('{"type":"worker","status":"offline","metadata":null}');

    await using worker = await joinRawWorker(hub);
    const metadata = '{"pid": 12345678901234567890 }';
    worker.text(`{"type":"REGISTER_WORKER","metadata":${metadata}}`);
    await worker.untilPong();
    await asker.messages(2);
    await bystander.messages(2);
    asker.send("get_worker_status");
    expect(await asker.raw.nextText()).toBe(`{"type":"worker","status":"online","metadata":${metadata}}`);
    expect(await bystander.untilPong()).toEqual([]);
  });

  test("are a worker's, too", async () => {
    await using hub = await startHub();
    await using worker = await joinStreamWorker(hub);
    worker.send("ping");
    expect(await worker.raw.nextText()).toBe("pong");
    worker.send("get_worker_status");
    expect(await worker.raw.nextText()).toBe('{"type":"worker","status":"online","metadata":{}}');
  });

  test.each([
    "",
    "PING",
    '"ping"',
    "{",
    "[]",
    '{"type":"ping"}',
    '{"type":"register","metadata":{}}',
    '{"type":"publish","ref":"1","data":{"n":1}}',
    '{"type":"ack","id":"1"}',
  ])("%j from a client is ignored", async (text) => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using bystander = await joinLive(hub);
    client.send(text);
    expect(await client.untilPong()).toEqual([]);
    expect(await bystander.untilPong()).toEqual([]);
  });
});
