import { encodeFrame, OPCODE } from "../support/frame.ts";
import { encodeRequest } from "../support/http.ts";
import { SECRET } from "../support/hub.ts";
import { handshake } from "../support/rawsocket.ts";
import { STREAM } from "../support/streamframe.ts";
import { connectTcp } from "../support/tcp.ts";
import type { CommandLedger } from "./commands.ts";
import { createMessages, TYPES } from "./messages.ts";
import type { Receipts } from "./receipts.ts";
import { about, pause, type Scene } from "./scene.ts";

export interface WorkersOptions {
  readonly scene: Scene;
  readonly receipts: Receipts;
  readonly commands: CommandLedger;
  /** How long a worker works on average. */
  readonly workMs: number;
}

/** The name of the next worker: no two ever have the same, so that each numbers its own messages. */
let names = 0;

/**
 * One worker after the other: in both framings, some leave in good order, some are replaced while they work, some hang,
 * and at times nobody is there at all.
 */
export async function runWorkers(options: WorkersOptions): Promise<void> {
  const { scene, workMs } = options;
  const { random } = scene;
  while (!scene.over.aborted) {
    const isStream = random.below(2) === 0;
    try {
      const ending = random.pick(["leave", "leave", "vanish", "be replaced", "hang"]);
      if (ending === "hang") await hang(scene, isStream);
      else {
        const over = work(options, isStream, ending === "vanish");
        // The next one comes while this one still works, and replaces it.
        if (ending === "be replaced") await pause(scene, about(random, workMs / 2));
        else await over;
        scene.count(`workers: ${ending}`);
      }
    } catch (error) {
      scene.fault(`a worker: ${error instanceof Error ? error.message : error}`);
    }
    if (random.below(2) === 0) await pause(scene, about(random, workMs));
  }
}

/** Registers, publishes at the scene's pace, acknowledges commands, and ends after a while unless it is ended before. */
async function work(options: WorkersOptions, isStream: boolean, isRude: boolean): Promise<void> {
  const { scene, workMs } = options;
  const socket = new WebSocket(`${scene.url.replace("http:", "ws:")}/ws?client_type=worker`, {
    headers: { "x-worker-secret": SECRET },
    ...(isStream ? { protocols: [STREAM] } : {}),
  });
  const closed = Promise.withResolvers<number>();
  const name = `worker-${names++}`;
  const type = isStream ? "register" : "REGISTER_WORKER";
  const make = createMessages(name, scene.random);
  const unacknowledged = new Map<string, string>();
  socket.onopen = () => socket.send(JSON.stringify({ type, metadata: { name } }));
  socket.onmessage = ({ data }) => {
    const answer = takeFrame(options, unacknowledged, String(data), isStream);
    if (answer !== undefined) socket.send(answer);
  };
  socket.onclose = ({ code }) => closed.resolve(code);

  const publishSome = (): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    for (let count = scene.random.below(1 + 4 * scene.intensity()); count > 0; count -= 1) {
      const text = make(scene.random.pick(["DOC_UPDATE", ...TYPES.slice(0, 3)]));
      if (isStream) {
        const ref = String(unacknowledged.size + scene.random.below(1_000_000_000));
        unacknowledged.set(ref, text);
        socket.send(`{"type":"publish","ref":"${ref}","data":${text}}`);
      } else socket.send(text);
      scene.count(`messages published by ${isStream ? "stream" : "raw"} workers`);
    }
  };
  const timer = setInterval(publishSome, 250);
  await Promise.race([pause(scene, about(scene.random, workMs)), closed.promise]);
  clearInterval(timer);
  if (isRude) socket.terminate();
  else socket.close(1000);
  const code = await closed.promise;
  if (code === 4001) scene.count("workers replaced (4001)");
}

/** @returns what the worker answers, if anything. A raw one acknowledges with its pong, which nobody has to send by hand. */
function takeFrame(
  { scene, receipts, commands }: WorkersOptions,
  unacknowledged: Map<string, string>,
  text: string,
  isStream: boolean,
): string | undefined {
  const frame = JSON.parse(text);
  if (frame.type === "TRIGGER") commands.received(frame.n);
  if (!isStream) return undefined;
  if (frame.type === "error") scene.fault(`a worker was told ${text.slice(0, 300)}`);
  if (frame.type === "ack") {
    const published = unacknowledged.get(frame.ref);
    unacknowledged.delete(frame.ref);
    if (published === undefined) scene.fault(`an ack for nothing: ${text.slice(0, 300)}`);
    else receipts.promise(frame.id, published);
  }
  if (frame.type !== "command") return undefined;
  commands.received(frame.data.n);
  // Some are forgotten, so that the next worker gets them again.
  return scene.random.below(8) === 0 ? undefined : JSON.stringify({ type: "ack", id: frame.id });
}

/** Registers and then reads nothing and says nothing any more, until the hub has had enough. */
async function hang(scene: Scene, isStream: boolean): Promise<void> {
  const tcp = await connectTcp(scene.url);
  tcp.receive(() => undefined);
  const headers = { "x-worker-secret": SECRET, ...(isStream ? { "sec-websocket-protocol": STREAM } : {}) };
  const request = handshake(`${scene.url}/ws?client_type=worker`, headers);
  tcp.write(encodeRequest(new URL(scene.url).host, request));
  const type = isStream ? "register" : "REGISTER_WORKER";
  tcp.write(
    encodeFrame({ opcode: OPCODE.text, payload: JSON.stringify({ type, metadata: { name: "hangs" } }) }),
  );
  await Promise.race([tcp.closed, pause(scene, 120_000)]);
  tcp.reset();
  await tcp.closed;
  scene.count("workers: hang");
}
