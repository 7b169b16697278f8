import { checkEvent, createWatch } from "./contract.ts";
import { checkAnswer } from "./contract-answer.ts";
import { within } from "./deadline.ts";
import { createEventParser, type EventBlock } from "./event-stream.ts";
import { encodeRequest, parseHead } from "./http.ts";
import { createChunkedReader } from "./http-chunks.ts";
import type { Hub } from "./hub.ts";
import { createQueue } from "./queue.ts";
import type { Hello, Live } from "./streamframe.ts";
import { connectTcp, type Tcp } from "./tcp.ts";

export interface SseMessage {
  readonly id: string;
  readonly data: string;
}

/**
 * `GET /api/v1/events` on a connection of its own. Every block reaches the test, also what a browser keeps to itself. An
 * event that the contract does not have fails it.
 */
export interface SseStream extends AsyncDisposable {
  readonly tcp: Tcp;
  readonly headers: Headers;
  /** The next block of any kind; fails when the stream has ended. */
  next(): Promise<EventBlock>;
  /** The next block as an event of the hub's own; fails when it is none of this name. */
  nextEvent(name: string): Promise<{ readonly id: string | undefined; readonly json: unknown }>;
  /** The next block as a message; fails when it is anything else. */
  nextMessage(): Promise<SseMessage>;
  /** The next so many messages. */
  messages(count: number): Promise<SseMessage[]>;
  /** The same, only what they say. */
  texts(count: number): Promise<string[]>;
  /** The position from which a browser would resume. */
  lastId(): string;
  /** How the response ended: `whole` with its last chunk, `cut` without. */
  readonly ended: Promise<"whole" | "cut">;
}

/** A stream that has said hello. */
export interface JoinedSse extends SseStream {
  readonly retryMs: number;
  readonly hello: Hello;
  /** The messages before the seam, and the event at it. Heartbeats in between are left out. */
  untilLive(): Promise<{ messages: SseMessage[]; live: Live }>;
}

export interface SseOptions {
  readonly since?: string;
  readonly types?: string;
  readonly lastEventId?: string;
  readonly method?: string;
}

/** Opens a stream and waits for the head of the response; fails when that is not 200. */
export async function openSse(hub: Hub, options: SseOptions = {}): Promise<SseStream> {
  const { lastEventId, method = "GET", ...query } = options;
  const tcp = await connectTcp(hub.url);
  const blocks = createQueue<EventBlock>();
  const opened = Promise.withResolvers<{ status: number; headers: Headers }>();
  const ended = Promise.withResolvers<"whole" | "cut">();
  const parse = createEventParser();
  const watch = createWatch();
  let held: Uint8Array = new Uint8Array();
  let lastId = lastEventId ?? "";

  const take = (text: string): void => {
    for (const block of parse(text)) {
      if (block.id !== undefined) lastId = block.id;
      const { event, data } = block;
      if (data !== undefined) watch.see(() => checkEvent(event, data));
      blocks.push(block);
    }
  };
  const end = (how: "whole" | "cut"): void => {
    blocks.end(`the stream has ended (${how})`);
    ended.resolve(how);
  };
  const readBody = createChunkedReader(take, () => end("whole"));
  tcp.receive((chunk) => {
    held = Buffer.concat([held, chunk]);
    const head = parseHead(held);
    if (head === undefined) return;
    if (head.status !== 200) opened.reject(new Error(`no stream: ${Buffer.from(held).toString()}`));
    opened.resolve(head);
    tcp.receive(readBody);
    readBody(held.subarray(head.size));
  });
  void tcp.closed.then(() => {
    opened.reject(new Error("closed before a response"));
    end("cut");
  });

  const path = `/api/v1/events?${new URLSearchParams(Object.entries(query))}`;
  const headers: [string, string][] = lastEventId === undefined ? [] : [["last-event-id", lastEventId]];
  tcp.write(encodeRequest(new URL(hub.url).host, { method, path, headers }));
  const head = await within(opened.promise, `response to ${method} ${path}`);
  checkAnswer({ method, path }, { ...head, body: "" });

  const next = async (): Promise<EventBlock> => {
    const block = await blocks.next("block of the event stream");
    watch.verify();
    return block;
  };
  const messages = async (count: number): Promise<SseMessage[]> => {
    const found: SseMessage[] = [];
    while (found.length < count) found.push(asMessage(await next()));
    return found;
  };
  return {
    tcp,
    headers: head.headers,
    next,
    nextEvent: async (name) => asEvent(await next(), name),
    nextMessage: async () => asMessage(await next()),
    messages,
    texts: async (count) => (await messages(count)).map(({ data }) => data),
    lastId: () => lastId,
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      tcp.reset();
      await tcp.closed;
      watch.verify();
    },
  };
}

/** Opens a stream and reads everything up to `hello`. */
export async function joinSse(hub: Hub, options: SseOptions = {}): Promise<JoinedSse> {
  const stream = await openSse(hub, options);
  const first = await stream.next();
  if (first.retry === undefined || first.id !== undefined || first.data !== undefined) {
    throw new Error(`no retry alone: ${JSON.stringify(first)}`);
  }
  const { id, json } = await stream.nextEvent("hello");
  const hello = json as Hello;
  if (id !== hello.cursor) throw new Error(`hello has the id ${id} and the cursor ${hello.cursor}`);
  return {
    ...stream,
    retryMs: Number(first.retry),
    hello,
    async untilLive() {
      const messages: SseMessage[] = [];
      for (let block = await stream.next(); ; block = await stream.next()) {
        if (block.event !== undefined) return { messages, live: asEvent(block, "live").json as Live };
        if (block.comments.length === 0) messages.push(asMessage(block));
      }
    },
  };
}

/** Opens a stream and reads everything up to `live`. */
export async function joinLiveSse(hub: Hub, options: SseOptions = {}): Promise<JoinedSse> {
  const stream = await joinSse(hub, options);
  await stream.untilLive();
  return stream;
}

function asMessage(block: EventBlock): SseMessage {
  const { event, id, data, retry, comments } = block;
  if (
    event !== undefined ||
    id === undefined ||
    data === undefined ||
    retry !== undefined ||
    comments.length > 0
  ) {
    throw new Error(`no message: ${JSON.stringify(block)}`);
  }
  return { id, data };
}

function asEvent(block: EventBlock, name: string): { id: string | undefined; json: unknown } {
  const { event, id, data } = block;
  if (event !== name || data === undefined) throw new Error(`no ${name} event: ${JSON.stringify(block)}`);
  return { id, json: JSON.parse(data) };
}
