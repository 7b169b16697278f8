import { describe, expect, test } from "bun:test";
import { call, publish } from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { type Frame, OPCODE, readClose } from "../support/frame.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { joinRawClient, joinRawWorker, OFFLINE, online } from "../support/parties.ts";
import { padded, publishAll } from "../support/publish.ts";
import type { RawSocket } from "../support/rawsocket.ts";
import { joinLiveSse, type SseStream } from "../support/sse-stream.ts";
import { joinLive, joinStreamWorker } from "../support/streamclient.ts";
import type { StreamFrame } from "../support/streamframe.ts";
import { enter, knock, untilStatus } from "../support/visitor.ts";

// The drain (PROTOCOL.md sections 1, 3 and 4): what a signal does to those who are connected.

/** So long that it only ends by a second signal. */
const FOR_EVER = "3600000";

/** Reads to the end of the connection. */
async function readRaw(socket: RawSocket): Promise<{ texts: string[]; code: number }> {
  const texts: string[] = [];
  while (true) {
    const frame: Frame = await socket.next();
    if (frame.opcode === OPCODE.close) return { texts, code: readClose(frame).code };
    if (frame.opcode === OPCODE.text) texts.push(Buffer.from(frame.payload).toString());
  }
}

async function readSse(stream: SseStream): Promise<{ texts: string[]; goodbye: unknown; end: string }> {
  const texts: string[] = [];
  let goodbye: unknown;
  while (true) {
    const block = await stream.next().catch(() => undefined);
    if (block === undefined) return { texts, goodbye, end: await stream.ended };
    if (block.event === "goodbye") goodbye = JSON.parse(block.data ?? "");
    else if (block.data !== undefined) texts.push(block.data);
  }
}

/** Resolves when the hub takes no more connections. */
async function untilClosedDoor(hub: Hub): Promise<void> {
  const knocking = async (): Promise<void> => {
    while (await knock(hub).then(Boolean, () => false)) await Bun.sleep(5);
  };
  await within(knocking(), "the end of the listener");
}

function textsOf(frames: readonly StreamFrame[]): string[] {
  return frames.flatMap((frame) => (frame.type === "message" ? [frame.data] : []));
}

/** The numbers that a reader got must be the first of the sequence, without a gap. @returns how many they were */
function countOf(texts: readonly string[]): number {
  expect(texts).toEqual(texts.map((_, at) => `{"n":${at + 1}}`));
  return texts.length;
}

const GOODBYE = { type: "goodbye", reason: "shutdown", reconnect_after_ms: expect.any(Number) };

describe("DRAIN_DELAY_MS", () => {
  test("at first the hub only says that it wants no more, and goes on as ever", async () => {
    await using hub = await startHub({ env: { DRAIN_DELAY_MS: "3000" } });
    await using client = await joinRawClient(hub);
    expect((await call(hub, "/readyz")).status).toBe(200);
    hub.kill("SIGTERM");
    await untilStatus("a red light", 503, () => call(hub, "/readyz"));
    expect((await call(hub, "/healthz")).status).toBe(200);
    await using late = await enter(hub);
    expect(await late.nextText()).toBe(OFFLINE);
    await using worker = await joinRawWorker(hub);
    expect((await publish(hub, "{}")).status).toBe(202);
    for (const socket of [client, late]) expect(await socket.untilPong()).toEqual([online(), "{}"]);

    await untilClosedDoor(hub);
    for (const socket of [client, late, worker]) expect((await readRaw(socket)).code).toBe(1001);
    expect(await within(hub.exited, "exit")).toBe(0);
  });
});

describe("DRAIN_TIMEOUT_MS", () => {
  test("sends clients away one after the other with 1012; whoever is left still gets the stream, and the worker goes last", async () => {
    await using hub = await startHub({ env: { DRAIN_TIMEOUT_MS: "2000" } });
    await using worker = await joinStreamWorker(hub);
    await using parties = new AsyncDisposableStack();
    const raw: RawSocket[] = [];
    const streams: Awaited<ReturnType<typeof joinLive>>[] = [];
    const sse: SseStream[] = [];
    for (let count = 0; count < 20; count += 1) {
      raw.push(parties.use(await joinRawClient(hub, online(), { pings: "answer" })));
      streams.push(parties.use(await joinLive(hub)));
    }
    for (let count = 0; count < 5; count += 1) sse.push(parties.use(await joinLiveSse(hub)));

    hub.kill("SIGTERM");
    const publishing = async (): Promise<number> => {
      for (let n = 1; ; n += 1) {
        worker.send({ type: "publish", ref: String(n), data: { n } });
        const frame = await worker.raw.next();
        if (frame.opcode === OPCODE.close) {
          expect(readClose(frame).code).toBe(1012);
          return n - 1;
        }
        expect(JSON.parse(Buffer.from(frame.payload).toString())).toMatchObject({
          type: "ack",
          ref: String(n),
        });
        await Bun.sleep(5);
      }
    };
    const [acknowledged, rawEnds, streamEnds, sseEnds] = await within(
      Promise.all([
        publishing(),
        Promise.all(raw.map(readRaw)),
        Promise.all(streams.map((stream) => stream.untilClose())),
        Promise.all(sse.map(readSse)),
      ]),
      "the end of all connections",
    );
    expect(await within(hub.exited, "exit")).toBe(0);

    const counts: number[] = [];
    for (const { texts, code } of rawEnds) {
      expect(code).toBe(1012);
      counts.push(countOf(texts));
    }
    for (const { frames, code } of streamEnds) {
      expect(code).toBe(1012);
      expect<unknown>(frames.at(-1)).toEqual(GOODBYE);
      counts.push(countOf(textsOf(frames)));
    }
    for (const { texts, goodbye, end } of sseEnds) {
      expect(goodbye).toEqual(GOODBYE);
      expect(end).toBe("whole");
      counts.push(countOf(texts));
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(acknowledged + 1);
    // 45 connections that end one by one, while every few milliseconds a message comes, have seen different numbers.
    expect(new Set(counts).size).toBeGreaterThan(10);
  });

  test("tells each client a time of its own at which to come back", async () => {
    await using hub = await startHub({ env: { DRAIN_TIMEOUT_MS: "100" } });
    await using parties = new AsyncDisposableStack();
    const streams: Awaited<ReturnType<typeof joinLive>>[] = [];
    for (let count = 0; count < 100; count += 1) streams.push(parties.use(await joinLive(hub)));
    hub.kill("SIGTERM");
    const waits: number[] = [];
    for (const stream of streams) {
      const goodbye = (await stream.untilClose()).frames.at(-1);
      waits.push(goodbye?.type === "goodbye" ? goodbye.reconnect_after_ms : Number.NaN);
    }
    for (const waitMs of waits) expect(waitMs).toBeWithin(500, 60_001);
    // Of 100 that are drawn from thousands hardly two are the same, and they fill their range.
    expect(new Set(waits).size).toBeGreaterThan(80);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(2_000);
  });

  test("meanwhile only the listener of operators answers, and says that the hub is stopping", async () => {
    await using hub = await startHub({ env: { DRAIN_TIMEOUT_MS: FOR_EVER, OPS_PORT: "0" } });
    const start = await hub.waitForLog("Listening", ({ msg }) => msg === "Listening");
    const ops = { ...hub, url: String(start["ops_url"]) };
    await using stay = await joinRawClient(hub);
    await using _also = await joinLive(hub);
    expect((await call(ops, "/readyz")).status).toBe(200);
    hub.kill("SIGTERM");
    await untilClosedDoor(hub);
    const ready = await call(ops, "/readyz");
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toMatchObject({ checks: { listener: { ok: false } } });
    // Who has knocked may be there for a moment longer.
    const counting = async (): Promise<void> => {
      const those = /^vectra_connections\{type="client",transport="websocket"\} [12]$/m;
      while (!those.test((await call(ops, "/metrics")).body)) await Bun.sleep(5);
    };
    await within(counting(), "those who are left");
    stay.tcp.reset();
  });

  test("0 sends all away at once, with 1001", async () => {
    await using hub = await startHub();
    await using raw = await joinRawClient(hub);
    await using stream = await joinLive(hub);
    await using sse = await joinLiveSse(hub);
    hub.kill("SIGTERM");
    expect(await readRaw(raw)).toEqual({ texts: [], code: 1001 });
    expect(await stream.untilClose()).toMatchObject({ frames: [GOODBYE], code: 1001 });
    expect(await readSse(sse)).toEqual({ texts: [], goodbye: GOODBYE, end: "whole" });
    expect(await within(hub.exited, "exit")).toBe(0);
  });
});

describe("what has been published before the signal", () => {
  test.each(["0", "200"])(
    "reaches those who read, however much it is (DRAIN_TIMEOUT_MS %s)",
    async (timeoutMs) => {
      await using hub = await startHub({
        env: { SLOW_CONSUMER_BYTES: "16777216", DRAIN_TIMEOUT_MS: timeoutMs },
      });
      await using raw = await joinRawClient(hub);
      await using stream = await joinLive(hub);
      await using sse = await joinLiveSse(hub);
      const texts = padded(10, 500_000);
      await publishAll(hub, texts);
      hub.kill("SIGTERM");
      const [ofRaw, ofStream, ofSse] = await Promise.all([readRaw(raw), stream.untilClose(), readSse(sse)]);
      expect(Bun.deepEquals(ofRaw.texts, texts)).toBe(true);
      expect(Bun.deepEquals(textsOf(ofStream.frames), texts)).toBe(true);
      expect(Bun.deepEquals(ofSse.texts, texts)).toBe(true);
      expect(ofSse.end).toBe("whole");
      expect(await within(hub.exited, "exit")).toBe(0);
    },
  );

  test("and was held back by conflation is published", async () => {
    await using hub = await startHub({ env: { CONFLATE: "DOC:doc_id:60000" } });
    await using client = await joinRawClient(hub);
    await using worker = await joinRawWorker(hub);
    const texts = [1, 2, 3].map((n) => `{"type":"DOC","doc_id":"a","n":${n}}`);
    for (const text of texts) worker.text(text);
    expect(await worker.untilPong()).toEqual([]);
    expect(await client.untilPong()).toEqual([online(), texts[0] ?? ""]);
    hub.kill("SIGTERM");
    expect(await readRaw(client)).toEqual({ texts: [texts[2] ?? ""], code: 1001 });
  });
});

test("a client that reads nothing does not keep the hub from ending", async () => {
  await using hub = await startHub({ env: { SLOW_CONSUMER_BYTES: "67108864" } });
  await using stalled = await joinRawClient(hub);
  stalled.tcp.pause();
  await publishAll(hub, padded(20, 500_000));
  expect(await hub.stop()).toBe(0);
});

describe("a second signal ends it at once with exit code 1", () => {
  test.each([
    ["while it waits", { DRAIN_DELAY_MS: FOR_EVER }, "SIGTERM"],
    ["while it waits, whichever the second one is", { DRAIN_DELAY_MS: FOR_EVER }, "SIGINT"],
    ["while it sends clients away", { DRAIN_TIMEOUT_MS: FOR_EVER }, "SIGTERM"],
  ] as const)("%s", async (_, env, second) => {
    await using hub = await startHub({ env });
    await using first = await joinRawClient(hub);
    await using _client = await joinRawClient(hub);
    hub.kill("SIGTERM");
    await hub.waitForLog("the first signal", ({ msg }) => msg === "Stopping");
    hub.kill(second);
    expect(await within(hub.exited, "exit")).toBe(1);
    await within(first.tcp.closed, "the end of the connection");
  });
});
