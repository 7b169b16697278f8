import { checkClose, checkFrame, createWatch, partyOf } from "./contract.ts";
import { within } from "./deadline.ts";
import { createQueue } from "./queue.ts";

/** A WebSocket of the browser API, with its messages in a queue. What the contract does not have fails the test. */
export interface WsClient extends AsyncDisposable {
  readonly socket: WebSocket;
  send(text: string): void;
  /** The next message's text; fails when the connection has ended. */
  next(): Promise<string>;
  /** The next message, parsed. */
  nextJson(): Promise<unknown>;
  /** Everything up to the answer to a `ping` sent now: how a test knows that nothing else was coming. */
  untilPong(): Promise<string[]>;
  /** Closes the connection (1000) and waits until it is closed. */
  close(): Promise<void>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export interface WsClientOptions {
  readonly headers?: Record<string, string>;
  /** Sent the moment the connection opens, before anything can be received. */
  readonly sendOnOpen?: string;
}

/** Connects; fails when the server refuses the handshake. */
export async function openClient(url: string, options: WsClientOptions = {}): Promise<WsClient> {
  const messages = createQueue<string>();
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const watch = createWatch();
  const party = partyOf(url, undefined);
  const socket = new WebSocket(url, { headers: options.headers ?? {} });
  socket.onopen = () => {
    if (options.sendOnOpen !== undefined) socket.send(options.sendOnOpen);
    opened.resolve();
  };
  socket.onmessage = (event) => {
    const { data } = event;
    if (typeof data !== "string") throw new Error("a binary message");
    watch.see(() => checkFrame(party, data));
    messages.push(data);
  };
  socket.onclose = ({ code, reason }) => {
    watch.see(() => checkClose(code));
    messages.end(`the connection has ended (${code} ${reason})`);
    opened.reject(new Error(`no connection to ${url}: ${code} ${reason}`));
    closed.resolve({ code, reason });
  };
  await within(opened.promise, `connection to ${url}`);

  const next = async (): Promise<string> => {
    const message = await messages.next("message");
    watch.verify();
    return message;
  };
  return {
    socket,
    send: (text) => socket.send(text),
    next,
    nextJson: async () => JSON.parse(await next()),
    async untilPong() {
      socket.send("ping");
      const texts: string[] = [];
      for (let text = await next(); text !== "pong"; text = await next()) texts.push(text);
      return texts;
    },
    async close() {
      socket.close(1000);
      await within(closed.promise, `close of ${url}`);
    },
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed.promise;
      watch.verify();
    },
  };
}
