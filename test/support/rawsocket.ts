import { checkClose, checkFrame, createWatch, partyOf } from "./contract.ts";
import { within } from "./deadline.ts";
import {
  type Close,
  closePayload,
  createFrameParser,
  encodeFrame,
  type Frame,
  type FrameSpec,
  OPCODE,
  readClose,
} from "./frame.ts";
import { encodeRequest, parseHead, type RequestHead } from "./http.ts";
import { createQueue } from "./queue.ts";
import { connectTcp, type Tcp } from "./tcp.ts";

/**
 * A WebSocket client that does nothing by itself: every byte is the test's, and every frame reaches the test. One that the
 * contract does not have fails it.
 */
export interface RawSocket extends AsyncDisposable {
  readonly tcp: Tcp;
  readonly responseHeaders: Headers;
  frame(spec: FrameSpec): void;
  text(text: string): void;
  close(code: number, reason?: string): void;
  /** The next frame of any kind but a ping that is answered for the test; fails when the connection ends. */
  next(): Promise<Frame>;
  /** The next frame's text; fails when the next frame is none, or in pieces. */
  nextText(): Promise<string>;
  /** The next frame's code and reason; fails when it is no close frame. */
  nextClose(): Promise<Close>;
  /** Everything up to the answer to a text `ping` sent now. */
  untilPong(): Promise<string[]>;
  /** How many pings have come so far. */
  pings(): number;
  /** Resolves when that many pings have come. */
  waitForPings(count: number): Promise<void>;
}

export interface RawOptions {
  /** Added to what a handshake needs; the same name replaces a header of it, `undefined` leaves that one out. */
  readonly headers?: Readonly<Record<string, string | Uint8Array | undefined>>;
  /** `answer` sends the pong and keeps the ping to itself; `report` (the default) hands it to the test. */
  readonly pings?: "report" | "answer" | "ignore";
  /** Bytes sent right behind the handshake, without waiting for the answer. */
  readonly pipelined?: Uint8Array;
}

/** The head of a handshake for `url` (RFC 6455 section 4.1). */
export function handshake(url: string, headers: RawOptions["headers"] = {}): RequestHead {
  const { pathname, search } = new URL(url);
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const all: Record<string, string | Uint8Array | undefined> = {
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-key": key,
    "sec-websocket-version": "13",
    ...headers,
  };
  return {
    path: pathname + search,
    headers: Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  };
}

/** Connects and completes the handshake; fails when the server answers with anything but 101. */
export async function openRaw(url: string, options: RawOptions = {}): Promise<RawSocket> {
  const tcp = await connectTcp(url);
  const frames = createQueue<Frame>();
  const watch = createWatch();
  let party = partyOf(url, undefined);
  // A close frame is answered with its own code (section 5.5.1), which may be any.
  let mayHaveClosed = false;
  const opened = Promise.withResolvers<Headers>();
  const waiting: { count: number; resolve: () => void }[] = [];
  let pingCount = 0;
  let held: Uint8Array = new Uint8Array();

  const parse = createFrameParser();
  const takeFrames = (chunk: Uint8Array): void => {
    for (const frame of parse(chunk)) {
      if (frame.opcode === OPCODE.ping) {
        pingCount += 1;
        if (options.pings === "answer") send({ opcode: OPCODE.pong, payload: frame.payload });
        for (const waiter of waiting) if (pingCount >= waiter.count) waiter.resolve();
        if (options.pings === "answer" || options.pings === "ignore") continue;
      }
      if (frame.opcode === OPCODE.close && !mayHaveClosed) watch.see(() => checkClose(readClose(frame).code));
      // The hub sends every text in one frame.
      if (frame.opcode === OPCODE.text)
        watch.see(() => checkFrame(party, Buffer.from(frame.payload).toString()));
      frames.push(frame);
    }
  };
  tcp.receive((chunk) => {
    held = Buffer.concat([held, chunk]);
    const head = parseHead(held);
    if (head === undefined) return;
    if (head.status !== 101) opened.reject(new Error(`no upgrade: ${Buffer.from(held).toString()}`));
    opened.resolve(head.headers);
    party = partyOf(url, head.headers.get("sec-websocket-protocol"));
    tcp.receive(takeFrames);
    takeFrames(held.subarray(head.size));
  });
  void tcp.closed.then(() => {
    opened.reject(new Error("closed during the handshake"));
    frames.end("the connection has ended");
  });
  const request = encodeRequest(new URL(url).host, handshake(url, options.headers));
  tcp.write(Buffer.concat([request, options.pipelined ?? new Uint8Array()]));
  const responseHeaders = await within(opened.promise, `handshake with ${url}`);

  function send(spec: FrameSpec): void {
    if (spec.opcode === OPCODE.close) mayHaveClosed = true;
    tcp.write(encodeFrame(spec));
  }

  async function next(what: string): Promise<Frame> {
    const frame = await frames.next(what);
    watch.verify();
    return frame;
  }

  async function nextText(): Promise<string> {
    const frame = await next("text frame");
    if (frame.opcode !== OPCODE.text || !frame.fin)
      throw new Error(`no whole text frame: ${describe(frame)}`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(frame.payload);
  }

  return {
    tcp: {
      ...tcp,
      write(bytes) {
        mayHaveClosed = true;
        tcp.write(bytes);
      },
    },
    responseHeaders,
    frame: send,
    text: (text) => send({ opcode: OPCODE.text, payload: text }),
    close: (code, reason) => send({ opcode: OPCODE.close, payload: closePayload(code, reason) }),
    next: () => next("frame"),
    nextText,
    async nextClose() {
      const frame = await next("close frame");
      if (frame.opcode !== OPCODE.close) throw new Error(`no close frame: ${describe(frame)}`);
      return readClose(frame);
    },
    async untilPong() {
      send({ opcode: OPCODE.text, payload: "ping" });
      const texts: string[] = [];
      for (let text = await nextText(); text !== "pong"; text = await nextText()) texts.push(text);
      return texts;
    },
    pings: () => pingCount,
    waitForPings(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ count, resolve });
      if (pingCount >= count) resolve();
      return within(promise, `${count} pings`);
    },
    async [Symbol.asyncDispose]() {
      tcp.reset();
      await tcp.closed;
      watch.verify();
    },
  };
}

function describe(frame: Frame): string {
  const text = Buffer.from(frame.payload.subarray(0, 200)).toString("latin1");
  return `opcode ${frame.opcode}, fin ${frame.fin}, ${frame.payload.length} bytes ${JSON.stringify(text)}`;
}
