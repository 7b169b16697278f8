import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { closePayload, encodeFrame, type FrameSpec, OPCODE, readClose } from "../support/frame.ts";
import { startHub } from "../support/hub.ts";
import { joinClient, joinRawClient, joinRawWorker, joinWorker, OFFLINE, online } from "../support/parties.ts";
import type { RawSocket } from "../support/rawsocket.ts";

// PROTOCOL.md section 1, "Close codes", read on the wire. (1008 is in auth.test.ts, 4001 in policy.test.ts.)

const { text, binary, continuation, close, ping } = OPCODE;
const invalidUtf8 = Uint8Array.of(0x7b, 0xc3, 0x28, 0x7d);

const CODES: Record<string, readonly [code: number, ...frames: readonly FrameSpec[]]> = {
  "a frame without a mask": [1002, { opcode: text, payload: "ping", mask: false }],
  "reserved bit 1": [1002, { opcode: text, payload: "ping", rsv: 4 }],
  "reserved bit 2": [1002, { opcode: text, payload: "ping", rsv: 2 }],
  "reserved bit 3": [1002, { opcode: text, payload: "ping", rsv: 1 }],
  "a reserved data opcode": [1002, { opcode: 0x3, payload: "ping" }],
  "a reserved control opcode": [1002, { opcode: 0xb, payload: "ping" }],
  "a ping in fragments": [1002, { opcode: ping, fin: false, payload: "p" }],
  "a ping of 126 bytes": [1002, { opcode: ping, payload: "p".repeat(126) }],
  "a continuation of nothing": [1002, { opcode: continuation, payload: "ping" }],
  "a message inside another": [
    1002,
    { opcode: text, fin: false, payload: "p" },
    { opcode: text, payload: "ping" },
  ],
  "a close payload of one byte": [1002, { opcode: close, payload: Uint8Array.of(3) }],
  "a close code that no peer may send": [1002, { opcode: close, payload: closePayload(1006) }],
  "a close code below 1000": [1002, { opcode: close, payload: closePayload(999) }],
  "invalid UTF-8": [1007, { opcode: text, payload: invalidUtf8 }],
  "an encoded surrogate": [1007, { opcode: text, payload: Uint8Array.of(0xed, 0xa0, 0x80) }],
  "an overlong encoding": [1007, { opcode: text, payload: Uint8Array.of(0xc0, 0xaf) }],
  "invalid UTF-8 across fragments": [
    1007,
    { opcode: text, fin: false, payload: Uint8Array.of(0xe9, 0x8d) },
    { opcode: continuation, payload: Uint8Array.of(0x28) },
  ],
  "invalid UTF-8 in a close reason": [
    1007,
    { opcode: close, payload: Buffer.concat([closePayload(1000), invalidUtf8]) },
  ],
  "a binary frame": [1003, { opcode: binary, payload: '{"type":"DOC_UPDATE"}' }],
  "an empty binary frame": [1003, { opcode: binary }],
  "a binary message in fragments": [
    1003,
    { opcode: binary, fin: false, payload: "{" },
    { opcode: continuation, payload: "}" },
  ],
  "a length of 2^62": [1009, { opcode: text, declaredLength: 1n << 62n }],
  "a length of 2^63": [1009, { opcode: text, declaredLength: 1n << 63n }],
};

/** Breaks the rule and reads what comes back: exactly one close frame, then the end of the connection. */
async function closeCodeAfter(socket: RawSocket, frames: readonly FrameSpec[]): Promise<number> {
  socket.tcp.write(Buffer.concat(frames.map(encodeFrame)));
  const { code } = await socket.nextClose();
  socket.tcp.halfClose();
  await within(socket.tcp.closed, "end of the connection");
  return code;
}

describe.each(Object.keys(CODES))("%s", (name) => {
  const [code = 0, ...frames] = CODES[name] ?? [0];

  test(`closes a client with ${code}, and it alone`, async () => {
    await using hub = await startHub();
    await using bystander = await joinClient(hub);
    await using client = await joinRawClient(hub);
    expect(await closeCodeAfter(client, frames)).toBe(code);
    expect(await bystander.untilPong()).toEqual([]);
  });

  test(`closes a worker with ${code}, publishes nothing of it, and it is offline`, async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using worker = await joinRawWorker(hub);
    expect(await closeCodeAfter(worker, frames)).toBe(code);
    for (const status of [online(), OFFLINE]) expect(await client.next()).toBe(status);
    expect(await client.untilPong()).toEqual([]);
  });
});

describe("MAX_MESSAGE_BYTES", () => {
  /** A JSON object of exactly so many bytes. */
  const objectOf = (bytes: number, fill = "x"): string =>
    `{"s":"${fill.repeat((bytes - 8) / Buffer.byteLength(fill))}"}`;

  test.each([1_048_576, 2048])(
    "%d: a message of exactly that size is forwarded, one byte more is 1009",
    async (limit) => {
      await using hub = await startHub(
        limit === 1_048_576 ? {} : { env: { MAX_MESSAGE_BYTES: String(limit) } },
      );
      await using client = await joinClient(hub);
      await using worker = await joinRawWorker(hub);
      expect(await client.next()).toBe(online());
      worker.text(objectOf(limit));
      expect(await client.next()).toBe(objectOf(limit));
      expect(await closeCodeAfter(worker, [{ opcode: text, payload: objectOf(limit + 1) }])).toBe(1009);
      expect(await client.next()).toBe(OFFLINE);
      expect(await client.untilPong()).toEqual([]);
    },
  );

  test("counts bytes, not characters, and the sum of the fragments", async () => {
    await using hub = await startHub({ env: { MAX_MESSAGE_BYTES: "2048", WORKER_POLICY: "shared" } });
    await using client = await joinClient(hub);
    await using wide = await joinRawWorker(hub);
    const exact = objectOf(2048, "\u{1f511}");
    wide.text(exact);
    expect([await client.next(), await client.next()]).toEqual([online(), exact]);
    expect(await closeCodeAfter(wide, [{ opcode: text, payload: objectOf(2051, "鍵") }])).toBe(1009);
    expect(await client.next()).toBe(OFFLINE);

    await using split = await joinRawWorker(hub);
    const half = { opcode: text, fin: false, payload: objectOf(2048).slice(0, 1024) };
    split.frame(half);
    split.frame({ opcode: continuation, payload: objectOf(2048).slice(1024) });
    expect([await client.next(), await client.next()]).toEqual([online(), objectOf(2048)]);
    const tooMuch = { opcode: continuation, payload: "x".repeat(1025) };
    expect(await closeCodeAfter(split, [half, tooMuch])).toBe(1009);
  });

  test("closes a client that sends more with 1009, although nothing of it would be used", async () => {
    await using hub = await startHub({ env: { MAX_MESSAGE_BYTES: "2048" } });
    await using client = await joinRawClient(hub);
    client.text("x".repeat(2048));
    expect(await client.untilPong()).toEqual([]);
    expect(await closeCodeAfter(client, [{ opcode: text, payload: "x".repeat(2049) }])).toBe(1009);
  });
});

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  /** The close frame, after whatever the stream still held. */
  async function lastFrame(socket: RawSocket): Promise<number> {
    while (true) {
      const frame = await socket.next();
      if (frame.opcode === close) return readClose(frame).code;
    }
  }

  test("closes everyone with 1001 and ends the hub with exit code 0", async () => {
    await using hub = await startHub();
    await using worker = await joinRawWorker(hub);
    await using one = await joinRawClient(hub, online());
    await using two = await joinClient(hub, online());
    hub.kill(signal);
    expect(await lastFrame(worker)).toBe(1001);
    expect(await lastFrame(one)).toBe(1001);
    expect((await within(two.closed, "close of a client")).code).toBe(1001);
    expect(await within(hub.exited, "exit")).toBe(0);
  });

  test("ends the hub although one peer answers nothing and another reads nothing", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using _mute = await joinRawClient(hub, online(), { pings: "ignore" });
    await using stalled = await joinRawClient(hub, online());
    stalled.tcp.pause();
    for (let count = 0; count < 30; count += 1) worker.send(JSON.stringify({ fill: "x".repeat(100_000) }));
    await worker.untilPong();
    hub.kill(signal);
    expect(await within(hub.exited, "exit")).toBe(0);
  });
});
