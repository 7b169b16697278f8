import { connect } from "node:net";
import { type Answer, call } from "./api.ts";
import { checkAnswer } from "./contract-answer.ts";
import { within } from "./deadline.ts";
import { encodeRequest, parseHead, type RawResponse, type RequestHead, rawRequest } from "./http.ts";
import type { Hub } from "./hub.ts";
import { handshake, openRaw, type RawSocket } from "./rawsocket.ts";
import { STREAM } from "./streamframe.ts";

/** Clients at the door: each of these asks to be let in, and says how it was received. */

export interface VisitOptions {
  /** Without the question mark. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A handshake in raw framing, over as soon as it is answered. 101 means that it was let in. */
export function knock(hub: Hub, { query = "", headers = {} }: VisitOptions = {}): Promise<RawResponse> {
  return rawRequest(hub.url, handshake(hub.wsUrl(query), headers));
}

/** The same from another address of this machine, e.g. 127.0.0.2. */
export function knockFrom(
  address: string,
  hub: Hub,
  { query = "", headers = {} }: VisitOptions = {},
): Promise<RawResponse> {
  return requestFrom(address, hub.url, handshake(hub.wsUrl(query), headers));
}

/** A client in raw framing that was let in and stays. */
export function enter(hub: Hub, { query = "", headers = {} }: VisitOptions = {}): Promise<RawSocket> {
  return openRaw(hub.wsUrl(query), { headers, pings: "answer" });
}

/** A client in stream framing: let in or not, it has a socket. */
export function enterStream(hub: Hub, { query = "", headers = {} }: VisitOptions = {}): Promise<RawSocket> {
  return enter(hub, { query, headers: { "sec-websocket-protocol": STREAM, ...headers } });
}

/** How an event stream is received. It is over as soon as the head of the answer is there, whose body is left out. */
export async function knockSse(
  hub: Hub,
  { query = "", headers = {} }: VisitOptions = {},
): Promise<RawResponse> {
  const request = {
    path: `/api/v1/events${query === "" ? "" : `?${query}`}`,
    headers: Object.entries(headers),
  };
  return await rawRequest(hub.url, request);
}

/** `GET /api/v1/worker`. */
export function askWorker(hub: Hub, { query = "", headers = {} }: VisitOptions = {}): Promise<Answer> {
  return call(hub, `/api/v1/worker${query === "" ? "" : `?${query}`}`, { headers });
}

/** One request from this address, which must be one of the machine's own: on Linux all of 127.0.0.0/8 is. */
export async function requestFrom(address: string, url: string, request: RequestHead): Promise<RawResponse> {
  const { hostname, port, host } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<RawResponse>();
  const socket = connect({ host: hostname, port: Number(port), localAddress: address });
  let held = Buffer.alloc(0);
  socket.on("connect", () => socket.write(encodeRequest(host, request)));
  socket.on("error", reject);
  socket.on("close", () => reject(new Error(`closed before a whole response: ${held.toString()}`)));
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    const head = parseHead(held);
    if (head === undefined) return;
    const length = Number(head.headers.get("content-length") ?? 0);
    if (held.length < head.size + length) return;
    resolve({ ...head, body: held.subarray(head.size, head.size + length).toString() });
  });
  try {
    const what = `response to ${request.method ?? "GET"} ${request.path} from ${address}`;
    const response = await within(promise, what);
    checkAnswer(request, response);
    return response;
  } finally {
    socket.destroy();
  }
}

/** Asks again until the answer is this one: for what changes when the hub has noticed an end. */
export async function untilStatus(
  what: string,
  status: number,
  ask: () => Promise<{ readonly status: number }>,
): Promise<void> {
  const asking = async (): Promise<void> => {
    while ((await ask()).status !== status) await Bun.sleep(5);
  };
  await within(asking(), what);
}

/** Tries again while there is no place: what has ended may still hold one until the hub has noticed. */
export async function untilEntered<T>(tryToEnter: () => Promise<T>): Promise<T> {
  const trying = async (): Promise<T> => {
    while (true) {
      try {
        return await tryToEnter();
      } catch (error) {
        if (!String(error).includes("HTTP/1.1 503")) throw error;
        await Bun.sleep(5);
      }
    }
  };
  return await within(trying(), "a free place");
}
