/** How the hub is reached. */
export type TransportName = "websocket" | "sse";

/** How a try or a connection ended. */
export interface Ended {
  /** The WebSocket close code, 1006 without one; over SSE the HTTP status, 0 without one. */
  readonly code: number;
  readonly reason: string;
  /** Does the hub itself say so, and mean that nobody should come back? */
  readonly isFinal: boolean;
  /** The hub, or a proxy before it, asks to wait at least so long. */
  readonly retryAfterMs: number | undefined;
  /** What the runtime said of it, e.g. the WebSocket's error event. */
  readonly cause: unknown;
}

/** Where a transport puts what it gets. After `ended` it puts nothing more. */
export interface Sink {
  /** One frame of stream framing, or one event of an SSE stream in its shape. */
  frame(text: string): void;
  /** Something came that is no frame. */
  heard(): void;
  ended(ended: Ended): void;
}

/** One try to reach the hub, and the connection that comes of it. */
export interface Session {
  readonly transport: TransportName;
  /** Sends a text frame. @returns false where that cannot be done */
  send(text: string): boolean;
  /** Bytes given to `send` that have not left yet. */
  unsentBytes(): number;
  /** Stops reading. @returns false where the transport cannot */
  pause(): boolean;
  resume(): void;
  /** Ends it; the sink gets nothing more, not even `ended`. `gracefully` says goodbye with close code 1000. */
  end(how: "gracefully" | "at once"): void;
}
