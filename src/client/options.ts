import type { HubError } from "./errors.ts";
import type { WorkerStatus } from "./frame.ts";
import type { LineInfo, State } from "./line.ts";
import type { ClientRuntime } from "./runtime.ts";
import type { FetchLike } from "./sse.ts";
import type { TransportName } from "./transport.ts";
import type { WebSocketConstructor } from "./websocket.ts";

/** What a message is where nobody says more: an object. */
export interface Message {
  readonly type?: string;
  readonly [name: string]: unknown;
}

/** A message of the stream. */
export interface Received<T = Message> {
  /** Its cursor: what `since` takes to go on after it. */
  readonly id: string;
  /** Its top-level `type`; undefined where that is missing or no string. */
  readonly type: string | undefined;
  /** The message as JSON.parse reads it, or as `validate` returns it. */
  readonly data: T;
  /** The message as it was published, byte for byte: JSON.parse rounds integers beyond 2^53. */
  readonly text: string;
  /** Did it come from the hub's history, before the stream was live? */
  readonly replayed: boolean;
}

/** The stream does not go on where it was: state has to be fetched. */
export interface Reset {
  /**
   * `start`: the first connection, without `since`. `evicted`: the hub no longer holds everything since the cursor.
   * `unknown`: it does not know the cursor, for instance because it has lost its history.
   */
  readonly reason: "start" | "evicted" | "unknown";
  /** The cursor that the stream could not go on from; undefined at a start. */
  readonly since: string | undefined;
  /** The cursor after which the stream goes on. Everything published after it is delivered. */
  readonly id: string;
}

/** A schema as zod and others make them, or a function that returns the message or throws. */
export type Validator<T> =
  | { parse(value: unknown): T }
  | {
      safeParse(
        value: unknown,
      ): { readonly success: true; readonly data: T } | { readonly success: false; readonly error?: unknown };
    }
  | ((value: unknown) => T);

export interface Invalid {
  readonly id: string;
  readonly text: string;
  /** What `validate` said. */
  readonly error: unknown;
}

/** What one connection has been through, at one moment. Times are in milliseconds since 1970. */
export interface ConnectionInfo extends LineInfo {
  /** The transport in use, or of the last try. */
  readonly transport: TransportName;
  /** How often the stream was resumed after a loss without a hole. */
  readonly resumed: number;
  /** How often it could not be (`evicted` or `unknown`). */
  readonly resets: number;
  /** The hub's name for this connection, as in its log. */
  readonly connId: string | undefined;
  /** How often the hub says something at least; undefined before it has said so. */
  readonly heartbeatMs: number | undefined;
  /** Has the stream caught up, so that what comes is new? */
  readonly isLive: boolean;
}

export interface ConnectOptions<T = Message> {
  /** Only messages of these types (PROTOCOL.md, section 2): at most 32 names of 1 to 64 characters of A-Z a-z 0-9 _ . : - */
  readonly types?: readonly string[] | undefined;
  /** Begin after this cursor, or with `earliest` at the first message that the hub holds. Without it: now. */
  readonly since?: string | undefined;
  /** Checks each message, and gives it its type. */
  readonly validate?: Validator<T> | undefined;
  /** Is told of a message that does not pass `validate`, and it is passed over. Without it, that ends the connection. */
  readonly onInvalid?: ((invalid: Invalid) => void) | undefined;
  /** Gets every message, in order. Without it messages wait for a `for await` loop: one of the two has to be there. */
  readonly onMessage?: ((message: Received<T>) => void) | undefined;
  /** Is told of the worker's status: once at the start, then once for each change. */
  readonly onStatus?: ((status: WorkerStatus) => void) | undefined;
  /** Is told that state has to be fetched: at the start, and whenever the stream could not be resumed. In order with the messages. */
  readonly onReset?: ((reset: Reset) => void) | undefined;
  /** Is told after each connect that the stream has caught up: what is received from now on is new. */
  readonly onLive?: (() => void) | undefined;
  /** Is told of every change of the connection's state. */
  readonly onState?: ((state: State, info: ConnectionInfo) => void) | undefined;
  /** Deliver the hub's own WORKER_STATUS messages like others. By default only `onStatus` is told. */
  readonly statusMessages?: boolean | undefined;
  /** `auto` (the default): WebSocket, and SSE where WebSockets are blocked: see `createChoice`. */
  readonly transport?: "auto" | TransportName | undefined;
  /** In place of the runtime's own. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  readonly fetch?: FetchLike | undefined;
  /** Request headers. A browser sends them over SSE only: its WebSocket cannot. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether SSE sends cookies to another origin (the Fetch standard). Default: `same-origin`. */
  readonly credentials?: "same-origin" | "include" | "omit" | undefined;
  /** Tries follow each other after a random part of 1 s, doubling up to 30 s, and begin anew after a stable minute. */
  readonly backoff?: { readonly firstMs?: number; readonly limitMs?: number; readonly stableMs?: number };
  /** From the first packet to the hub's `hello`. Default: 10 s. */
  readonly openTimeoutMs?: number | undefined;
  /** After so many heartbeats of silence, at least 5 s, the hub is probed. Default: 2.5. */
  readonly silentHeartbeats?: number | undefined;
  /** How long the answer to a probe may take before the connection is given up. Default: 5 s. */
  readonly probeTimeoutMs?: number | undefined;
  /** How many messages may wait for a `for await` loop before reading stops. Default: 1,000. */
  readonly bufferMessages?: number | undefined;
  /** The same in characters of their text. Default: 4 Mi. */
  readonly bufferChars?: number | undefined;
  /** What touches the world, for tests. */
  readonly runtime?: ClientRuntime | undefined;
}

/**
 * A subscription to the stream that outlives its connections. Every message published after its start is delivered once and in
 * order, or `onReset` is called.
 *
 * `for await` reads the messages one by one. While the loop is slower than the stream, up to `bufferMessages` wait; past that
 * nothing more is read from the hub: Bun's WebSocket and SSE are paused, any other WebSocket is closed, and opened again at the
 * cursor of the last message received when half of what waits has been read. Leaving the loop leaves the connection open, and a
 * later loop goes on behind the last message.
 */
export interface Connection<T = Message> extends AsyncIterable<Received<T>> {
  readonly state: State;
  /** The cursor behind the last message handed over: the `since` of a later connection. Undefined before the first `hello`. */
  readonly lastId: string | undefined;
  /** Undefined before the first `hello`; the last known one while there is no connection. */
  readonly workerStatus: WorkerStatus | undefined;
  /** Resolves when it is over: with the error that ended it, or with undefined after `close`. It never rejects. */
  readonly closed: Promise<HubError | undefined>;
  info(): ConnectionInfo;
  /** Tries now, in place of waiting for the next try; looks whether an open connection is alive. */
  tryNow(): void;
  /** Ends it. Nothing is delivered any more. */
  close(): void;
}
