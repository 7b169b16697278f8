import { expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { encodeFrame, type FrameSpec, OPCODE } from "../support/frame.ts";
import { encodeRequest } from "../support/http.ts";
import { type Hub, SECRET, startHub } from "../support/hub.ts";
import { joinClient, joinWorker, OFFLINE, online, register } from "../support/parties.ts";
import { createRandom, type Random } from "../support/random.ts";
import { handshake, openRaw } from "../support/rawsocket.ts";
import { connectTcp } from "../support/tcp.ts";
import { openClient } from "../support/wsclient.ts";

// Bad input never ends the hub, and never reaches anyone. Set GARBAGE_SEED to repeat a run.

const SEED = Number(process.env["GARBAGE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const CONNECTIONS = 2000;
const SOUND_FRAMES_EACH = 4;
const LANES = 25;

const MESSAGES = [
  "ping",
  "get_worker_status",
  register({ hostname: "gpu-01", version: "1.4.2", os: "Linux" }),
  '{"type":"WORKER_STATUS","status":"offline","metadata":null}',
  '{"type": "DOC_PROGRESS", "doc_id": "b7a1", "processed": 7, "total": 9223372036854775807}',
  '{"type":"DOC_UPDATE","id":"b7a1","details":"\\ud800 \\"quoted\\" é","list":[1,2.50,-0,null,true,{"a":{}}]}',
] as const;

/** A text near to what the hub understands. */
function mutatedText(random: Random): string {
  const characters = [...random.pick(MESSAGES)];
  for (let left = random.below(4); left > 0; left -= 1) {
    const at = random.below(characters.length + 1);
    const other = random.pick([
      "",
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "\\",
      "\\u",
      "0",
      "-",
      "e",
      "\0",
      "\u2028",
      random.text(1),
    ]);
    characters.splice(at, random.below(3), other);
  }
  return characters.join("");
}

/** Frames that break no rule of the WebSocket protocol, whatever they say: the connection must survive them. */
function soundFrames(random: Random): FrameSpec[] {
  const text = random.below(3) === 0 ? random.text(random.below(200)) : mutatedText(random);
  switch (random.below(4)) {
    case 0: {
      const payload = Buffer.from(text);
      const cut = random.below(payload.length + 1);
      const control = {
        opcode: random.pick([OPCODE.ping, OPCODE.pong]),
        payload: random.bytes(random.below(126)),
      };
      const start = { opcode: OPCODE.text, fin: false, payload: payload.subarray(0, cut) };
      return [start, control, { opcode: OPCODE.continuation, payload: payload.subarray(cut) }];
    }
    case 1:
      return [{ opcode: OPCODE.text, payload: text, lengthBits: random.pick([16, 64]) }];
    default:
      return [{ opcode: OPCODE.text, payload: text }];
  }
}

/** Bytes that are a frame no more, or of another kind, or cut off. */
function brokenFrame(random: Random): Uint8Array {
  if (random.below(4) === 0) return random.bytes(1 + random.below(64));
  const bytes = encodeFrame({
    opcode: random.below(16),
    rsv: random.below(2) * random.below(8),
    payload: mutatedText(random),
  });
  for (let left = random.below(4); left > 0; left -= 1)
    bytes[random.below(Math.min(bytes.length, 14))] = random.below(256);
  return bytes.subarray(0, random.below(3) === 0 ? random.below(bytes.length) : bytes.length);
}

/** One connection's worth of garbage. Its own seed makes it the same whatever the other lanes do. */
async function throwGarbage(hub: Hub, index: number): Promise<void> {
  const random = createRandom(SEED + index);
  const asWorker = index % 2 === 0;
  const headers = asWorker ? { "x-worker-secret": SECRET } : {};
  await using socket = await openRaw(hub.wsUrl(asWorker ? "client_type=worker" : ""), { headers });
  for (let sent = 0; sent < SOUND_FRAMES_EACH; sent += 1) {
    for (const spec of soundFrames(random)) socket.frame(spec);
  }
  const fence = Buffer.from(`still there? ${index}`);
  socket.frame({ opcode: OPCODE.ping, payload: fence });
  while (true) {
    const frame = await socket.next();
    if (frame.opcode === OPCODE.close) throw new Error("closed for frames that break no rule");
    if (frame.opcode === OPCODE.pong && fence.equals(frame.payload)) break;
  }
  socket.tcp.write(brokenFrame(random));
  socket.tcp.halfClose();
  await within(socket.tcp.closed, `end of connection ${index}`);
}

async function useNormally(hub: Hub): Promise<void> {
  await using client = await openClient(hub.wsUrl(), { sendOnOpen: "get_worker_status" });
  expect([await client.next(), await client.next()]).toEqual([OFFLINE, OFFLINE]);
  await using worker = await joinWorker(hub);
  worker.send(register({ hostname: "after" }));
  worker.send('{"type":"DOC_UPDATE"}');
  await worker.untilPong();
  expect(await client.untilPong()).toEqual([
    online(),
    online({ hostname: "after" }),
    '{"type":"DOC_UPDATE"}',
  ]);
}

/** What a client may be shown: a message of the worker's, or a status that only the hub can have made. */
function expectMessage(text: string): void {
  const message: unknown = JSON.parse(text);
  expect(message).toBeObject();
  expect(message).not.toBeArray();
  expect(message).not.toHaveProperty("type", "REGISTER_WORKER");
  if (text.startsWith('{"type":"WORKER_STATUS"')) expect(message).toHaveProperty("metadata");
  else expect(message).not.toHaveProperty("type", "WORKER_STATUS");
}

test(`10,000 random and mutated frames, as client and as worker, and the hub works as before (seed ${SEED})`, async () => {
  // Shared: or the lanes' workers would end each other before their garbage is read.
  await using hub = await startHub({ env: { WORKER_POLICY: "shared" } });
  await using bystander = await joinClient(hub);
  let index = 0;
  const lane = async (): Promise<void> => {
    for (let mine = index++; mine < CONNECTIONS; mine = index++) await throwGarbage(hub, mine);
  };
  await Promise.all(Array.from({ length: LANES }, lane));

  const seen = await bystander.untilPong();
  // Among the garbage were good messages: it has come as far as the part that publishes.
  expect(seen.filter((text) => text.startsWith('{"type": "DOC_PROGRESS"')).length).toBeGreaterThan(50);
  for (const text of seen) expectMessage(text);
  expect(seen.at(-1)).toBe(OFFLINE);
  await useNormally(hub);
  expect(hub.logs().filter((line) => line.level === "error")).toEqual([]);
  expect(await hub.stop()).toBe(0);
}, 120_000);

test(`mutated handshakes (seed ${SEED})`, async () => {
  await using hub = await startHub();
  for (let round = 0; round < 300; round += 1) {
    const random = createRandom(SEED + round);
    const request = encodeRequest("127.0.0.1", handshake(hub.wsUrl("client_type=worker&token=x")));
    for (let left = 1 + random.below(5); left > 0; left -= 1)
      request[random.below(request.length)] = random.below(256);
    const tcp = await connectTcp(hub.url);
    tcp.write(request);
    tcp.halfClose();
    await within(tcp.closed, "end of the connection");
  }
  await useNormally(hub);
  expect(hub.logs().filter((line) => line.level === "error")).toEqual([]);
});
