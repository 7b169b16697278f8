import { encodeFrame, OPCODE } from "../support/frame.ts";
import { encodeRequest } from "../support/http.ts";
import { handshake } from "../support/rawsocket.ts";
import { STREAM } from "../support/streamframe.ts";
import { connectTcp } from "../support/tcp.ts";
import { STRANGER } from "./auth-server.ts";
import { call } from "./call.ts";
import { visitorHeaders } from "./crowd.ts";
import { BULK } from "./messages.ts";
import { about, pause, repeat, type Scene } from "./scene.ts";

/** Those who make a hub fail that trusts its clients. */
export async function runTrouble(scene: Scene): Promise<void> {
  const many = (count: number, act: () => Promise<void>): Promise<void>[] =>
    Array.from({ length: count }, () => repeat(scene, "trouble", () => about(scene.random, 500), act));
  await Promise.all([
    ...many(6, () => readNothing(scene, "websocket")),
    ...many(3, () => readNothing(scene, "sse")),
    ...many(6, () => answerNoPing(scene)),
    ...many(2, () => flood(scene)),
    ...many(1, () => beAStranger(scene)),
    ...many(1, () => guessOnce(scene)),
    ...many(1, () => guessMuch(scene)),
  ]);
}

/** So long may a connection last that the hub has to end. A machine may be slow; for ever is too long. */
const END_LIMIT_MS = 120_000;

/** Asks for the large messages and reads none, until there is too much of it; then reads on, as if it had only slept. */
async function readNothing(scene: Scene, over: "websocket" | "sse"): Promise<void> {
  const tcp = await connectTcp(scene.url);
  const host = new URL(scene.url).host;
  const headers = visitorHeaders(scene);
  if (over === "sse")
    tcp.write(
      encodeRequest(host, { path: `/api/v1/events?types=${BULK}`, headers: Object.entries(headers) }),
    );
  else {
    const framing = { ...headers, "sec-websocket-protocol": STREAM };
    tcp.write(encodeRequest(host, handshake(`${scene.url}/ws?types=${BULK}`, framing)));
  }
  // The head of the answer is read; what comes behind it stays in the buffers.
  await Promise.race([firstBytes(tcp.receive), pause(scene, 5_000), tcp.closed]);
  tcp.pause();
  // A WebSocket that only read nothing would be taken for dead: this one answers pings that it has not seen.
  const pong =
    over === "websocket"
      ? setInterval(() => tcp.write(encodeFrame({ opcode: OPCODE.pong })), 1_000)
      : undefined;
  await pause(scene, about(scene.random, 40_000));
  clearInterval(pong);
  tcp.receive(() => undefined);
  tcp.resume();
  await Promise.race([tcp.closed, pause(scene, 2_000)]);
  tcp.reset();
  await tcp.closed;
  scene.count("clients that read nothing for a while");
}

function firstBytes(receive: (receiver: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  receive(resolve);
  return promise;
}

/** Reads, and never says a word: the hub has to end it, also while it is being sent to. */
async function answerNoPing(scene: Scene): Promise<void> {
  const tcp = await connectTcp(scene.url);
  tcp.receive(() => undefined);
  const headers = {
    ...visitorHeaders(scene),
    ...(scene.random.below(2) === 0 ? {} : { "sec-websocket-protocol": STREAM }),
  };
  const request = handshake(`${scene.url}/ws?types=DOC_UPDATE`, headers);
  tcp.write(encodeRequest(new URL(scene.url).host, request));
  const ended = tcp.closed.then(() => "ended" as const);
  const outcome = await Promise.race([ended, pause(scene, END_LIMIT_MS).then(() => "still there" as const)]);
  if (outcome === "still there" && !scene.over.aborted)
    scene.fault(`a client that answers no ping was kept for ${END_LIMIT_MS} ms`);
  tcp.reset();
  await tcp.closed;
  scene.count("clients that answered no ping");
}

/** Sends more than a client may, and is thrown out for it. */
async function flood(scene: Scene): Promise<void> {
  const socket = new WebSocket(`${scene.url.replace("http:", "ws:")}/ws?types=DOC_UPDATE`, {
    headers: visitorHeaders(scene),
  });
  const closed = Promise.withResolvers<void>();
  socket.onopen = () => {
    for (let n = 0; n < 800; n += 1) socket.send("not a frame that the hub understands");
  };
  socket.onmessage = () => undefined;
  socket.onclose = () => closed.resolve();
  await Promise.race([closed.promise, pause(scene, 10_000)]);
  socket.terminate();
  scene.count("floods");
  await pause(scene, about(scene.random, 5_000));
}

/** A wrong secret from an address that nobody has ever seen. */
async function guessOnce(scene: Scene): Promise<void> {
  const { random } = scene;
  for (let n = 0; n < 5; n += 1) {
    const address = `${11 + random.below(200)}.${random.below(256)}.${random.below(256)}.${random.below(256)}`;
    await guess(scene, address, [401]);
  }
}

/** One wrong secret after the other, until it is answered 429. */
async function guessMuch(scene: Scene): Promise<void> {
  const address = `2001:db8:ffff:${scene.random.below(65_536).toString(16)}::1`;
  for (let n = 0; n < 30; n += 1) await guess(scene, address, [401, 429]);
  await pause(scene, about(scene.random, 8_000));
}

async function guess(scene: Scene, address: string, expected: readonly number[]): Promise<void> {
  if (scene.over.aborted) return;
  const headers = { "x-worker-secret": `wrong-${scene.random.below(1_000_000)}`, "x-forwarded-for": address };
  const { status } = await call(scene, "/api/v1/publish", { method: "POST", body: "{}", headers });
  if (!expected.includes(status)) scene.fault(`a wrong secret was answered ${status}`);
  scene.count(`wrong secrets answered ${status}`);
}

/** Somebody whom the forward-auth endpoint does not know. */
async function beAStranger(scene: Scene): Promise<void> {
  const headers = { cookie: STRANGER, "x-worker-secret": "" };
  const { status } = await call(scene, "/api/v1/worker", { headers });
  if (status !== 403) scene.fault(`a stranger was answered ${status}`);
  scene.count("strangers refused");
  await pause(scene, about(scene.random, 1_000));
}
