import { describe, expect, test } from "bun:test";
import { publish } from "../../support/api.ts";
import { encodeFrame, type FrameSpec, OPCODE, readClose } from "../../support/frame.ts";
import { type Hub, type HubEnv, startHub } from "../../support/hub.ts";
import { joinRawWorker, OFFLINE } from "../../support/parties.ts";
import type { RawSocket } from "../../support/rawsocket.ts";
import { refusals } from "../../support/scrape.ts";
import { enter, enterStream } from "../../support/visitor.ts";

// The flood limit (PROTOCOL.md section 1): what a client may send, in frames and in bytes.

/** Ten seconds' worth may come at once. */
const FRAMES_AT_ONCE = 10;

function start(env: HubEnv = {}): Promise<Hub> {
  return startHub({ env: { CLIENT_FRAMES_PER_SECOND: "1", ...env } });
}

function send(socket: RawSocket, count: number, frame: FrameSpec): void {
  socket.tcp.write(Buffer.concat(Array.from({ length: count }, () => encodeFrame(frame))));
}

/** Reads up to the close frame. @returns its code, and how many text frames came before it */
async function untilClose(socket: RawSocket): Promise<{ code: number; texts: number }> {
  let texts = 0;
  while (true) {
    const frame = await socket.next();
    if (frame.opcode === OPCODE.close) return { code: readClose(frame).code, texts };
    if (frame.opcode === OPCODE.text) texts += 1;
  }
}

const FLOODS: Record<string, FrameSpec> = {
  "of pings of its own kind": { opcode: OPCODE.text, payload: "ping" },
  "of questions": { opcode: OPCODE.text, payload: "get_worker_status" },
  "of texts that are ignored": { opcode: OPCODE.text, payload: "" },
  "of WebSocket pings": { opcode: OPCODE.ping },
  "of pongs that nobody asked for": { opcode: OPCODE.pong, payload: "x" },
};

test.each(Object.keys(FLOODS))("a flood %s ends with 1008, and nobody else notices", async (name) => {
  await using hub = await start();
  await using other = await enter(hub);
  expect(await other.nextText()).toBe(OFFLINE);
  for (const join of [enter, enterStream]) {
    await using flooder = await join(hub);
    send(flooder, 200, FLOODS[name] as FrameSpec);
    const { code, texts } = await untilClose(flooder);
    expect(code).toBe(1008);
    // Its greeting, and an answer to each frame of its allowance, which may have grown by one meanwhile.
    expect(texts).toBeLessThan(FRAMES_AT_ONCE + 5);
  }
  expect(await refusals(hub, "flood")).toBe(2);
  expect(await other.untilPong()).toEqual([]);
  await publish(hub, '{"type":"A"}');
  expect(await other.nextText()).toBe('{"type":"A"}');
});

test("what is within the allowance is answered, every frame of it", async () => {
  await using hub = await start();
  await using client = await enter(hub);
  send(client, FRAMES_AT_ONCE, { opcode: OPCODE.text, payload: "ping" });
  const texts: string[] = [];
  for (let count = 0; count <= FRAMES_AT_ONCE; count += 1) texts.push(await client.nextText());
  expect(texts).toEqual([OFFLINE, ...new Array<string>(FRAMES_AT_ONCE).fill("pong")]);
  expect(await refusals(hub, "flood")).toBe(0);
});

test("a worker may send as fast as it likes", async () => {
  await using hub = await start();
  await using worker = await joinRawWorker(hub);
  send(worker, 500, { opcode: OPCODE.text, payload: "ping" });
  for (let count = 0; count < 500; count += 1) expect(await worker.nextText()).toBe("pong");
});

describe("in bytes", () => {
  const env = { CLIENT_FRAMES_PER_SECOND: "0", CLIENT_BYTES_PER_SECOND: "1024" };
  const text = (byteCount: number): FrameSpec => ({ opcode: OPCODE.text, payload: "x".repeat(byteCount) });

  test("more than ten seconds' worth ends with 1008", async () => {
    await using hub = await start({ ...env, MAX_MESSAGE_BYTES: "4096" });
    await using client = await enter(hub);
    expect(await client.nextText()).toBe(OFFLINE);
    send(client, 20, text(4000));
    expect(await untilClose(client)).toEqual({ code: 1008, texts: 0 });
    expect(await refusals(hub, "flood")).toBe(1);
  });

  test("one message of the largest size that is taken is no flood, a second one is", async () => {
    await using hub = await start({ ...env, MAX_MESSAGE_BYTES: "65536" });
    await using client = await enter(hub);
    expect(await client.nextText()).toBe(OFFLINE);
    client.frame(text(65_000));
    expect(await client.untilPong()).toEqual([]);
    client.frame(text(65_000));
    expect((await client.nextClose()).code).toBe(1008);
  });

  test("a message in pieces counts as a whole", async () => {
    await using hub = await start({ ...env, MAX_MESSAGE_BYTES: "65536" });
    await using client = await enter(hub);
    expect(await client.nextText()).toBe(OFFLINE);
    for (let round = 0; round < 2; round += 1) {
      client.frame({ ...text(30_000), fin: false });
      client.frame({ ...text(30_000), opcode: OPCODE.continuation });
    }
    expect((await client.nextClose()).code).toBe(1008);
  });
});

test("0 is no limit", async () => {
  await using hub = await start({ CLIENT_FRAMES_PER_SECOND: "0", CLIENT_BYTES_PER_SECOND: "0" });
  await using client = await enter(hub);
  expect(await client.nextText()).toBe(OFFLINE);
  send(client, 5_000, { opcode: OPCODE.text, payload: "x".repeat(100) });
  expect(await client.untilPong()).toEqual([]);
});
