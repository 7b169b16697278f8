import type { Connection } from "./connection.ts";
import { createEnvelopeReader, STREAM_HEADERS } from "./envelope.ts";
import { connectEventStream } from "./event-stream.ts";
import { readSequence } from "./messages.ts";
import { connectSocketIo } from "./socket-io.ts";
import { connectWebSocket } from "./websocket.ts";

/** How a subscriber of the hub is connected: a WebSocket in raw or in stream framing, or an SSE stream. */
export const FRAMINGS = ["raw", "stream", "sse"] as const;
export type Framing = (typeof FRAMINGS)[number];

/** The same, and what other servers speak: Nchan sends raw messages, and is published to over HTTP. */
export type Wire = Framing | "socket.io" | "nchan";

export interface ReceiverOptions {
  /** The server's root. */
  url: string;
  /** Message number `sequence` of the load is in `bytes[start]` up to `bytes[end]`. May throw. */
  onMessage: (sequence: number, bytes: Uint8Array, start: number, end: number) => void;
  /** Anything else was received: a status, a position, an event of the server's own. */
  onOther?: () => void;
  /** After each chunk that was read. */
  onChunkEnd: () => void;
  onFailure: (error: Error) => void;
}

/** Connects one subscriber, and resolves once the server has accepted it. */
export function connectReceiver(wire: Wire, options: ReceiverOptions): Promise<Connection> {
  const { onChunkEnd, onFailure, onOther = () => undefined } = options;
  const onMessage = (bytes: Uint8Array, start: number, end: number): void => {
    const sequence = readSequence(bytes, start, end);
    if (sequence >= 0) options.onMessage(sequence, bytes, start, end);
    else onOther();
  };
  if (wire === "sse") {
    const url = new URL("/api/v1/events", options.url);
    return connectEventStream({ url, onMessage, onOther, onChunkEnd, onFailure });
  }
  if (wire === "socket.io") {
    return connectSocketIo({ url: options.url, onMessage, onOther, onChunkEnd, onFailure });
  }
  const url = new URL("/ws", options.url);
  if (wire === "stream") {
    const onFrame = createEnvelopeReader({ onMessage, onOther });
    return connectWebSocket({ url, headers: STREAM_HEADERS, onFrame, onChunkEnd, onFailure });
  }
  const onFrame = (_opcode: number, bytes: Uint8Array, start: number, end: number): void =>
    onMessage(bytes, start, end);
  return connectWebSocket({ url, headers: {}, onFrame, onChunkEnd, onFailure });
}
