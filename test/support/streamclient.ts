import { expect } from "bun:test";
import { OPCODE, readClose } from "./frame.ts";
import { type Hub, SECRET } from "./hub.ts";
import { openRaw, type RawSocket } from "./rawsocket.ts";
import {
  type Hello,
  type Live,
  type Message,
  readStreamFrame,
  STREAM,
  type StreamFrame,
} from "./streamframe.ts";

/** A connection in stream framing, client or worker, on a raw socket: the test may stop reading, and sees every close code. */
export interface StreamSocket extends AsyncDisposable {
  readonly raw: RawSocket;
  /** Sends a text as it is, or an object as JSON. */
  send(frame: string | object): void;
  /** The next frame; fails when the connection has ended. */
  next(): Promise<StreamFrame>;
  /** Everything up to the answer to a `ping` sent now: how a test knows that nothing else was coming. */
  untilPong(): Promise<StreamFrame[]>;
  /** Everything up to the close frame, and its code and reason. */
  untilClose(): Promise<{ frames: StreamFrame[]; code: number; reason: string }>;
  /** Closes with 1000 and waits for the answer, so that the hub has forgotten this connection. */
  leave(): Promise<void>;
}

/** A dashboard in stream framing that has been greeted. */
export interface StreamClient extends StreamSocket {
  readonly hello: Hello;
  /** The last cursor seen: the one to resume from. */
  cursor(): string;
  /** So many messages; a position in between is no message. Fails on any other frame. */
  messages(count: number): Promise<Message[]>;
  /** The same, only what they say. */
  texts(count: number): Promise<string[]>;
  /** What is replayed, and the frame at the seam. */
  untilLive(): Promise<{ messages: Message[]; live: Live }>;
}

export interface StreamOptions {
  readonly since?: string;
  readonly types?: string;
}

/** Connects and reads `hello`. */
export async function joinStream(hub: Hub, options: StreamOptions = {}): Promise<StreamClient> {
  const query = new URLSearchParams(Object.entries(options)).toString();
  const raw = await openStream(hub, query);
  const hello = readStreamFrame(await raw.nextText());
  if (hello.type !== "hello") throw new Error(`${hello.type} before hello`);
  let cursor = hello.cursor;
  const socket = streamSocket(raw, (frame) => {
    if (frame.type === "message" || frame.type === "live" || frame.type === "position") cursor = frame.id;
  });

  async function messages(count: number): Promise<Message[]> {
    const found: Message[] = [];
    while (found.length < count) {
      const frame = await socket.next();
      if (frame.type === "message") found.push(frame);
      else if (frame.type !== "position") throw new Error(`${JSON.stringify(frame)} where a message was due`);
    }
    return found;
  }

  return {
    ...socket,
    hello,
    cursor: () => cursor,
    messages,
    texts: async (count) => (await messages(count)).map(({ data }) => data),
    async untilLive() {
      const found: Message[] = [];
      while (true) {
        const frame = await socket.next();
        if (frame.type === "live") return { messages: found, live: frame };
        if (frame.type === "message") found.push(frame);
        else throw new Error(`${JSON.stringify(frame)} in a replay`);
      }
    },
  };
}

/** Connects and reads all up to `live`. */
export async function joinLive(hub: Hub, options: StreamOptions = {}): Promise<StreamClient> {
  const client = await joinStream(hub, options);
  await client.untilLive();
  return client;
}

/** A worker in stream framing that has been accepted. It has not said `register`. */
export async function joinStreamWorker(hub: Hub, secret: string = SECRET): Promise<StreamSocket> {
  const raw = await openStream(hub, "client_type=worker", { "x-worker-secret": secret });
  const worker = streamSocket(raw, () => undefined);
  expect(await worker.next()).toEqual({ type: "worker", status: "online", metadata: {} });
  return worker;
}

/** The handshake alone. */
export async function openStream(
  hub: Hub,
  query = "",
  headers: Record<string, string> = {},
): Promise<RawSocket> {
  const raw = await openRaw(hub.wsUrl(query), {
    headers: { "sec-websocket-protocol": STREAM, ...headers },
    pings: "answer",
  });
  expect(raw.responseHeaders.get("sec-websocket-protocol")).toBe(STREAM);
  return raw;
}

function streamSocket(raw: RawSocket, seen: (frame: StreamFrame) => void): StreamSocket {
  function read(text: string): StreamFrame {
    const frame = readStreamFrame(text);
    seen(frame);
    return frame;
  }

  async function untilClose(): Promise<{ frames: StreamFrame[]; code: number; reason: string }> {
    const frames: StreamFrame[] = [];
    while (true) {
      const frame = await raw.next();
      if (frame.opcode === OPCODE.close) return { frames, ...readClose(frame) };
      frames.push(read(Buffer.from(frame.payload).toString()));
    }
  }

  const next = async (): Promise<StreamFrame> => read(await raw.nextText());
  return {
    raw,
    send: (frame) => raw.text(typeof frame === "string" ? frame : JSON.stringify(frame)),
    next,
    async untilPong() {
      raw.text("ping");
      const frames: StreamFrame[] = [];
      for (let frame = await next(); frame.type !== "pong"; frame = await next()) frames.push(frame);
      return frames;
    },
    untilClose,
    async leave() {
      raw.close(1000);
      await untilClose();
    },
    [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose](),
  };
}
