import type { Connection } from "./connection.ts";
import { createEnvelopeReader, STREAM_HEADERS } from "./envelope.ts";
import { connectEventStream } from "./event-stream.ts";
import { readSequence } from "./messages.ts";
import { connectWebSocket } from "./websocket.ts";

/** How a subscriber is connected: a WebSocket in raw or in stream framing, or an SSE stream. */
export const FRAMINGS = ["raw", "stream", "sse"] as const;
export type Framing = (typeof FRAMINGS)[number];

export interface ReceiverOptions {
  /** The server's root. */
  url: string;
  /** Message number `sequence` of the load is in `bytes[start]` up to `bytes[end]`. May throw. */
  onMessage: (sequence: number, bytes: Uint8Array, start: number, end: number) => void;
  /** After each chunk that was read. */
  onChunkEnd: () => void;
  onFailure: (error: Error) => void;
}

/** Connects one subscriber. Whatever is no message of the load (statuses, positions, heartbeats) is passed over. */
export function connectReceiver(framing: Framing, options: ReceiverOptions): Promise<Connection> {
  const { onChunkEnd, onFailure } = options;
  const onMessage = (bytes: Uint8Array, start: number, end: number): void => {
    const sequence = readSequence(bytes, start, end);
    if (sequence >= 0) options.onMessage(sequence, bytes, start, end);
  };
  const onOther = (): void => undefined;
  if (framing === "sse") {
    const url = new URL("/api/v1/events", options.url);
    return connectEventStream({ url, onMessage, onOther, onChunkEnd, onFailure });
  }
  const url = new URL("/ws", options.url);
  if (framing === "stream") {
    const onFrame = createEnvelopeReader({ onMessage, onOther });
    return connectWebSocket({ url, headers: STREAM_HEADERS, onFrame, onChunkEnd, onFailure });
  }
  const onFrame = (_opcode: number, bytes: Uint8Array, start: number, end: number): void =>
    onMessage(bytes, start, end);
  return connectWebSocket({ url, headers: {}, onFrame, onChunkEnd, onFailure });
}
