import { checkEvent, checkFrame } from "./contract.ts";
import { createSseParser, type SseBlock } from "./sse.ts";

/** What a resuming client learns, whatever the transport (PROTOCOL.md, sections 3 and 4). */
export type StreamEvent =
  | { readonly kind: "hello"; readonly cursor: string; readonly resumed: boolean; readonly reason: string }
  | { readonly kind: "message"; readonly cursor: string; readonly text: string }
  | { readonly kind: "live" | "position"; readonly cursor: string };

export interface StreamOptions {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  /** A cursor or `earliest`; a new client's stream starts live without it. */
  readonly since?: string | undefined;
  /** The value of `types`. */
  readonly types?: string | undefined;
  /** Gets every event in order, until `drop`. What it throws ends the connection and fails `ended`. */
  readonly take: (event: StreamEvent) => void;
}

export interface StreamConnection {
  /** Ends the connection without a word; nothing more is taken from it. */
  drop(): void;
  /** Resolves when the connection is over or could not be made; fails only when the hub broke the contract. */
  readonly ended: Promise<void>;
}

export type StreamTransport = (options: StreamOptions) => StreamConnection;

/** A client with stream framing. */
export const overWebSocket: StreamTransport = ({ url, since, types, take }) => {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(`${url.replace("http:", "ws:")}/ws?${queryOf({ since, types })}`, {
    protocols: ["vectra.stream.v1"],
  });
  let isOver = false;
  const drop = (): void => {
    isOver = true;
    socket.terminate();
  };
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    try {
      const frame = String(data);
      checkFrame("streamClient", frame);
      const event = readEnvelope(frame);
      if (event !== undefined) take(event);
    } catch (error) {
      reject(error);
      drop();
    }
  };
  socket.onclose = () => resolve();
  return { drop, ended };
};

function readEnvelope(frame: string): StreamEvent | undefined {
  const envelope = JSON.parse(frame);
  if (envelope.type === "hello") return readHello(envelope);
  if (envelope.type === "live" || envelope.type === "position")
    return { kind: envelope.type, cursor: envelope.id };
  if (envelope.type === "goodbye" || envelope.type === "worker") return undefined;
  if (envelope.type !== "message") throw new Error(`an unknown frame: ${frame.slice(0, 200)}`);
  // `data` is the last member: its text is what was published.
  return { kind: "message", cursor: envelope.id, text: frame.slice(frame.indexOf('"data":') + 7, -1) };
}

function readHello(hello: { cursor: string; resumed: boolean; reason?: string }): StreamEvent {
  return { kind: "hello", cursor: hello.cursor, resumed: hello.resumed, reason: hello.reason ?? "" };
}

/** An SSE stream. A cursor goes into `Last-Event-ID`, as a browser that comes back sends it. */
export const overSse: StreamTransport = ({ url, since, types, take }) => {
  const abort = new AbortController();
  const run = async (): Promise<void> => {
    const isCursor = since !== undefined && since !== "earliest";
    const response = await fetch(
      `${url}/api/v1/events?${queryOf({ since: isCursor ? undefined : since, types })}`,
      { headers: isCursor ? { "last-event-id": since } : {}, signal: abort.signal },
    ).catch(() => undefined);
    if (response === undefined) return;
    if (response.status !== 200) throw new Error(`SSE: ${response.status} ${await response.text()}`);
    const reader = response.body?.getReader();
    const parse = createSseParser();
    while (true) {
      const chunk = await reader?.read().catch(() => undefined);
      if (chunk?.value === undefined) return;
      for (const block of parse(chunk.value)) {
        if (block.data !== undefined) checkEvent(block.event, block.data);
        const event = readBlock(block);
        if (abort.signal.aborted) return;
        if (event !== undefined) take(event);
      }
    }
  };
  return { drop: () => abort.abort(), ended: run().finally(() => abort.abort()) };
};

function readBlock({ id, event, data }: SseBlock): StreamEvent | undefined {
  if (event === "hello") return readHello(JSON.parse(data ?? ""));
  if (event === "goodbye" || id === undefined) return undefined;
  if (event === "live") return { kind: "live", cursor: id };
  return data === undefined ? { kind: "position", cursor: id } : { kind: "message", cursor: id, text: data };
}

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new URLSearchParams(given).toString();
}
