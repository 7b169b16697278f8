import { closePayload, encodeFrame, OPCODE } from "../support/frame.ts";
import { encodeRequest } from "../support/http.ts";
import { handshake } from "../support/rawsocket.ts";
import { STREAM } from "../support/streamframe.ts";
import { connectTcp, type Tcp } from "../support/tcp.ts";
import { TYPES } from "./messages.ts";
import { about, pause, type Scene } from "./scene.ts";

/** The addresses from which the crowd seems to come, as a proxy would say it. Each may hold so many connections. */
const ADDRESSES = 40;
export const CONNECTIONS_PER_ADDRESS = 120;
/** People who are logged in; the forward-auth endpoint is asked about each of them. */
const SESSIONS = 2_000;

/** Who a client says it is. */
export function visitorHeaders({ random }: Scene): Record<string, string> {
  const at = random.below(ADDRESSES);
  const address = at % 4 === 0 ? `2001:db8:${at.toString(16)}::1` : `10.1.2.${at}`;
  return { "x-forwarded-for": address, cookie: `session=${random.below(SESSIONS)}` };
}

/**
 * Clients that come and go all the time, in both framings and over SSE, with and without filters. What they receive is
 * not looked at; that it is right the witnesses see.
 * @param size how many there are at once
 */
export async function runCrowd(scene: Scene, size: number): Promise<void> {
  const one = async (n: number): Promise<void> => {
    // Not all in the first instant: that would be a storm, and nothing else for a while.
    await pause(scene, scene.random.below(3_000));
    while (!scene.over.aborted) {
      const isGuest = n % 3 === 2;
      try {
        await (isGuest
          ? visitSse(scene)
          : n % 3 === 0
            ? visitSocket(scene, undefined)
            : visitSocket(scene, STREAM));
      } catch (error) {
        scene.fault(`a client of the crowd: ${error instanceof Error ? error.message : error}`);
      }
      await pause(scene, about(scene.random, 200));
    }
  };
  await Promise.all(Array.from({ length: size }, (_, n) => one(n)));
}

/** Most stay for a moment, some for a while. */
function stayMs({ random }: Scene): number {
  return random.below(4) === 0 ? about(random, 12_000) : about(random, 1_200);
}

/** Never the large messages, which only a few are there for. */
function typesQuery({ random }: Scene): string {
  const some = TYPES.filter(() => random.below(2) === 0);
  return `types=${(some.length === 0 ? TYPES : some).join(",")}`;
}

/** A WebSocket client as browsers have it, which goes politely or is simply gone. */
async function visitSocket(scene: Scene, framing: string | undefined): Promise<void> {
  if (scene.random.below(4) === 0) return await vanish(scene, framing);
  const url = `${scene.url.replace("http:", "ws:")}/ws?${typesQuery(scene)}`;
  const socket = new WebSocket(url, {
    headers: visitorHeaders(scene),
    ...(framing === undefined ? {} : { protocols: [framing] }),
  });
  const closed = Promise.withResolvers<number>();
  let isOpen = false;
  socket.onopen = () => {
    isOpen = true;
    socket.send(scene.random.below(2) === 0 ? "ping" : "get_worker_status");
  };
  // Without a handler Bun would keep the messages.
  socket.onmessage = () => undefined;
  socket.onclose = ({ code }) => closed.resolve(code);
  await Promise.race([pause(scene, stayMs(scene)), closed.promise]);
  const wasOpen = isOpen && socket.readyState === WebSocket.OPEN;
  if (wasOpen && scene.random.below(3) > 0) socket.close(1000);
  else socket.terminate();
  const code = await closed.promise;
  if (!isOpen && !scene.over.aborted) scene.count("clients of the crowd that left before they were let in");
  else scene.count(wasOpen ? "visits of the crowd" : `clients of the crowd sent away with ${code}`);
}

/** A client that ends with RST, or half-closes, in the middle of anything. */
async function vanish(scene: Scene, framing: string | undefined): Promise<void> {
  const headers = {
    ...visitorHeaders(scene),
    ...(framing === undefined ? {} : { "sec-websocket-protocol": framing }),
  };
  const tcp = await connectTcp(scene.url);
  tcp.receive(() => undefined);
  tcp.write(
    encodeRequest(new URL(scene.url).host, handshake(`${scene.url}/ws?${typesQuery(scene)}`, headers)),
  );
  await Promise.race([pause(scene, about(scene.random, 600)), tcp.closed]);
  await goRudely(scene, tcp);
}

async function visitSse(scene: Scene): Promise<void> {
  const tcp = await connectTcp(scene.url);
  let head = "";
  tcp.receive((bytes) => {
    if (head.length < 12) head += Buffer.from(bytes.subarray(0, 12)).toString("latin1");
  });
  const path = `/api/v1/events?${typesQuery(scene)}`;
  tcp.write(encodeRequest(new URL(scene.url).host, { path, headers: Object.entries(visitorHeaders(scene)) }));
  await Promise.race([pause(scene, stayMs(scene)), tcp.closed]);
  if (head !== "" && !head.startsWith("HTTP/1.1 200")) scene.fault(`an event stream was answered ${head}`);
  await goRudely(scene, tcp);
}

async function goRudely(scene: Scene, tcp: Tcp): Promise<void> {
  const how = scene.random.pick(["rst", "rst", "half-close", "close frame and rst"]);
  if (how === "half-close") tcp.halfClose();
  if (how === "close frame and rst")
    tcp.write(encodeFrame({ opcode: OPCODE.close, payload: closePayload(1001) }));
  // Long enough for the hub to answer, if it does.
  if (how !== "rst") await Promise.race([pause(scene, 1_000), tcp.closed]);
  tcp.reset();
  await tcp.closed;
  scene.count("clients that vanished");
}
