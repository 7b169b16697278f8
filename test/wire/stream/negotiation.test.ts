import { describe, expect, test } from "bun:test";
import { within } from "../../support/deadline.ts";
import { SECRET, startHub } from "../../support/hub.ts";
import { joinRawClient, joinRawWorker, OFFLINE, online } from "../../support/parties.ts";
import { numbered, publish } from "../../support/publish.ts";
import { openRaw, type RawSocket } from "../../support/rawsocket.ts";
import { joinLive, openStream, type StreamClient } from "../../support/streamclient.ts";
import { readStreamFrame, STREAM } from "../../support/streamframe.ts";

// PROTOCOL.md section 3: which framing a connection has.

describe("the subprotocol", () => {
  test.each([
    STREAM,
    `${STREAM}, chat`,
    `chat, ${STREAM}`,
    `chat,${STREAM},superchat`,
    `chat , \t${STREAM} , vectra.stream.v2`,
  ])("%j is answered with the hub's own alone, and means stream framing", async (offer) => {
    await using hub = await startHub();
    await using client = await openRaw(hub.wsUrl(), { headers: { "sec-websocket-protocol": offer } });
    expect(client.responseHeaders.get("sec-websocket-protocol")).toBe(STREAM);
    expect(readStreamFrame(await client.nextText()).type).toBe("hello");
  });

  test.each([
    "chat",
    "chat, superchat",
    "vectra.stream.v2",
    "vectra.stream",
    "Vectra.Stream.V1",
    "VECTRA.STREAM.V1",
    "vectra.stream.v1.1",
    "xvectra.stream.v1",
    `"${STREAM}"`,
  ])("%j is not echoed, and means raw framing", async (offer) => {
    await using hub = await startHub();
    await using client = await openRaw(hub.wsUrl(), { headers: { "sec-websocket-protocol": offer } });
    expect(client.responseHeaders.get("sec-websocket-protocol")).toBeNull();
    expect(await client.untilPong()).toEqual([OFFLINE]);
  });

  test("is a worker's as well as a client's, at both paths", async () => {
    await using hub = await startHub();
    for (const path of ["/ws", "/api/v1/ws"]) {
      const headers = { "sec-websocket-protocol": STREAM, "x-worker-secret": SECRET };
      await using worker = await openRaw(hub.wsUrl("client_type=worker", path), { headers });
      expect(worker.responseHeaders.get("sec-websocket-protocol")).toBe(STREAM);
      expect(readStreamFrame(await worker.nextText())).toEqual({
        type: "worker",
        status: "online",
        metadata: {},
      });
      await using client = await openRaw(hub.wsUrl("", path), { headers });
      expect(readStreamFrame(await client.nextText()).type).toBe("hello");
    }
  });

  test("chosen by the browser's WebSocket reads there as its protocol", async () => {
    await using hub = await startHub();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = new WebSocket(hub.wsUrl(), ["chat", STREAM]);
    socket.onmessage = ({ data }) => resolve(data);
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    try {
      expect(readStreamFrame(await within(promise, "hello")).type).toBe("hello");
      expect(socket.protocol).toBe(STREAM);
    } finally {
      socket.terminate();
    }
  });
});

describe("a stream-framed connection that is refused", () => {
  test.each([
    ["client_type=worker", {}],
    ["client_type=worker", { "x-worker-secret": "wrong" }],
    ["client_type=worker&token=wrong", {}],
    ["client_type=spectator", {}],
  ])("%s with %j gets 1008 and nothing before it", async (query, headers) => {
    await using hub = await startHub();
    await using bystander = await joinLive(hub);
    await using refused = await openStream(hub, query, headers);
    expect((await refused.nextClose()).code).toBe(1008);
    expect(await bystander.untilPong()).toEqual([]);
  });
});

describe("raw and stream framing side by side", () => {
  /** What both get from here to now: the raw texts, and the data of the stream's messages. */
  async function textsOf(raw: RawSocket, stream: StreamClient): Promise<[string[], string[]]> {
    const frames = (await stream.untilPong()).filter((frame) => frame.type !== "position");
    return [
      await raw.untilPong(),
      frames.map((frame) => (frame.type === "message" ? frame.data : frame.type)),
    ];
  }

  test("get the same messages in the same order, byte for byte", async () => {
    await using hub = await startHub();
    await using raw = await joinRawClient(hub);
    await using stream = await joinLive(hub);
    const odd = [
      '{ "type" : "DOC_UPDATE" , "n" : 12345678901234567890, "f": 1.0 }',
      '{"a":1,"a":2}',
      '{"type":"DOC_UPDATE","text":"\\u00e9\\ud83d\\ude00 é 🔑 \\" \\\\"}',
      '{\n\t"type": "DOC_UPDATE"\r\n}',
      "{}",
      '{"type":7,"data":{"data":[{},"}"]}}',
      ` {"type":"DOC_UPDATE","padded":true} `,
    ];
    for (const text of odd) await publish(hub, text);
    expect(await textsOf(raw, stream)).toEqual([odd, odd]);
  });

  test("get the worker's status and many publishers' messages in one order", async () => {
    await using hub = await startHub();
    await using raw = await joinRawClient(hub);
    await using stream = await joinLive(hub);
    await using worker = await joinRawWorker(hub);
    const published = Array.from({ length: 50 }, (_, n) => publish(hub, numbered(20, n * 20)));
    for (const text of numbered(500, 1000, "DOC_PROGRESS")) worker.text(text);
    await Promise.all([...published, worker.untilPong()]);

    const [texts, framed] = await textsOf(raw, stream);
    expect(framed).toEqual(texts);
    const all = [online(), ...numbered(1000), ...numbered(500, 1000, "DOC_PROGRESS")];
    expect(texts.toSorted()).toEqual(all.toSorted());
    expect(texts.filter((text) => text.includes("PROGRESS"))).toEqual(numbered(500, 1000, "DOC_PROGRESS"));
  });
});
