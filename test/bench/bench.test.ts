import { afterEach, expect, test } from "bun:test";
import { openClosedLoop, type Round, type Session } from "./generator/closed-loop.ts";
import { createFrameReader } from "./generator/frames.ts";
import { MESSAGE_BYTES, messageBytes, readSequence } from "./generator/messages.ts";
import { compare, decisiveRatio, isDisturbed } from "./result.ts";
import { summarise } from "./statistics.ts";

// A benchmark that cannot see a lost message, or that counts one wrongly, proves nothing.

function serverFrame(payload: Uint8Array): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([0x81, length]), payload]);
  const header = Buffer.alloc(length < 65_536 ? 4 : 10);
  header[0] = 0x81;
  header[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

test.each([1, 3, 199, 4096, 1_000_000])("frames come out whole from chunks of %d bytes", (chunkBytes) => {
  const payloads = [0, 1, 125, 126, 200, 65_535, 65_536, 5].map((size) => Buffer.alloc(size, size % 251));
  const stream = Buffer.concat(payloads.map(serverFrame));
  const seen: Buffer[] = [];
  const read = createFrameReader((_opcode, bytes, start, end) =>
    seen.push(Buffer.from(bytes.slice(start, end))),
  );
  // Large frames byte by byte would copy their beginning for each byte: those come in two pieces.
  for (let offset = 0; offset < stream.length; ) {
    const step = chunkBytes < 199 && offset > 600 ? 65_000 : chunkBytes;
    read(stream.subarray(offset, offset + step));
    offset += step;
  }
  expect(seen).toEqual(payloads);
});

test("a frame that a server may not send is an error", () => {
  const read = createFrameReader(() => undefined);
  expect(() => read(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 65]))).toThrow("masked");
  expect(() => read(Buffer.from([0xc1, 0x01, 65]))).toThrow("0xc1");
});

test("messages are JSON objects of one length that carry their number", () => {
  for (const sequence of [0, 7, 12_345_678]) {
    const message = messageBytes(sequence);
    expect(message.length).toBe(MESSAGE_BYTES);
    expect(Number(JSON.parse(message.toString()).seq)).toBe(sequence);
    expect(readSequence(message, 0, message.length)).toBe(sequence);
  }
  expect(readSequence(Buffer.from("pong"), 0, 4)).toBe(-1);
});

/** What a broken server does with the message that one subscriber should get. */
type Fault = (text: string, messagesBefore: number) => string[];

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

/** A session with three subscribers; one of them, or everyone, gets what `fault` makes of each message. */
async function openSession(fault: Fault, whom: "one" | "everyone" = "one"): Promise<Session> {
  let clients = 0;
  let messages = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      const worker = new URL(request.url).searchParams.get("client_type") === "worker";
      return self.upgrade(request, { data: { worker } }) ? undefined : new Response("", { status: 400 });
    },
    websocket: {
      data: {} as { worker: boolean },
      open(socket) {
        if (socket.data.worker) return;
        socket.subscribe(clients === 1 || whom === "everyone" ? "faulty" : "right");
        clients += 1;
      },
      message(_socket, text) {
        server.publish("right", text);
        for (const each of fault(String(text), messages)) server.publish("faulty", each);
        messages += 1;
      },
    },
  });
  const session = await openClosedLoop({
    url: server.url.href,
    serverPid: process.pid,
    workerSecret: "for no one",
    wire: "raw",
    subscribers: 3,
    maxInFlight: 20,
  });
  opened.push(session.close, () => void server.stop(true));
  return session;
}

test("a right server is measured, round after round", async () => {
  const session = await openSession((text) => [text]);
  for (const inFlight of [1, 20]) {
    const round = await session.run(inFlight, 50);
    expect(round.deliveries % 3).toBe(0);
    expect(round.deliveries).toBeGreaterThan(0);
    expect(round.chunks).toBeLessThanOrEqual(round.deliveries);
    expect(round.seconds).toBeGreaterThanOrEqual(0.05);
  }
});

test("a message that one subscriber misses is noticed", async () => {
  const session = await openSession((text, before) => (before === 30 ? [] : [text]));
  await expect(session.run(20, 50)).rejects.toThrow("received message 31 instead of 30");
});

test("a message that one subscriber gets twice is noticed", async () => {
  const session = await openSession((text, before) => (before === 30 ? [text, text] : [text]));
  await expect(session.run(20, 50)).rejects.toThrow("received message 30 instead of 31");
});

test("messages in the wrong order are noticed", async () => {
  const session = await openSession((text, before) => {
    if (before === 30) return [];
    return before === 31 ? [text, messageBytes(30).toString()] : [text];
  });
  await expect(session.run(20, 50)).rejects.toThrow("received message 31 instead of 30");
});

test("a message that was written anew is noticed", async () => {
  const rewrite: Fault = (text) => [text.replace("0.4375", "4375e4")];
  const session = await openSession(rewrite, "everyone");
  await expect(session.run(1, 50)).rejects.toThrow("message 0 was not forwarded byte for byte");
});

test("a server that closes a connection is noticed", async () => {
  const session = await openSession((text) => [text]);
  const run = session.run(1, 60_000);
  opened.pop()?.();
  await expect(run).rejects.toThrow("closed the connection");
});

test("the median is the middle, and the spread is relative to it", () => {
  expect(summarise([5, 1, 3])).toEqual({ median: 3, spread: 4 / 3 });
  expect(summarise([4, 1, 2, 3])).toEqual({ median: 2.5, spread: 3 / 2.5 });
  expect(() => summarise([])).toThrow();
});

test("a server is compared turn by turn, and a generator at its limit is named", () => {
  const round = (seconds: number, generatorCpuSeconds: number): Round => ({
    deliveries: 1_000_000,
    chunks: 50_000,
    seconds,
    serverCpuSeconds: 0.8,
    generatorCpuSeconds,
    machineCpuSeconds: 0.8 + generatorCpuSeconds,
  });
  const cell = { framing: "raw" as const, subscribers: 1000, inFlight: 20, underWay: 20 };
  // The machine became three times slower in the middle: both saw it, and the ratio stays what it is.
  const [baseline, hub] = compare([
    { ...cell, target: "floor", rounds: [round(0.9, 0.5), round(0.9, 0.5), round(2.7, 0.5)] },
    { ...cell, target: "hub", rounds: [round(1, 0.99), round(3, 0.99), round(3, 0.99)] },
  ]);
  expect(baseline?.throughputRatio).toBe(1);
  expect(hub?.throughputRatio).toBeCloseTo(0.9);
  expect(hub?.cpuRatio).toBe(1);
  expect(baseline?.generatorBound).toBe(false);
  expect(hub?.generatorBound).toBe(false);
  const [slowGenerator] = compare([{ ...cell, target: "hub", rounds: [round(1, 0.99)] }]);
  expect(slowGenerator?.generatorBound).toBe(true);
  expect(isDisturbed(round(1, 0.5))).toBe(false);
  const disturbed = { ...round(2, 0.5), machineCpuSeconds: 3 };
  expect(isDisturbed(disturbed)).toBe(true);
  // On a busy machine time on the wall says little: the servers' CPU time decides.
  const [quiet, busy] = compare([
    { ...cell, target: "floor", rounds: [round(1, 0.5)] },
    { ...cell, target: "hub", rounds: [disturbed] },
  ]);
  expect(busy?.throughputRatio).toBe(0.5);
  expect(busy && quiet && decisiveRatio(busy, quiet)).toBe(1);
  expect(hub && baseline && decisiveRatio(hub, baseline)).toBeCloseTo(0.9);
});
