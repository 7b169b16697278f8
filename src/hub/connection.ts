import type { Delivery } from "../backplane/backplane.ts";
import type { Close } from "../protocol/close.ts";
import type { TypeFilter } from "../protocol/filter.ts";
import type { Framing } from "../protocol/topics.ts";
import type { Allowance } from "./flood.ts";
import type { Replay } from "./replay.ts";

export type ClientType = "client" | "worker";

/** The state of one WebSocket. It lives on the socket (`ws.data`), so that no table has to be kept beside it. */
export interface Connection {
  /** 8 lower-case hex digits, for logs. */
  readonly connId: string;
  readonly clientType: ClientType;
  readonly framing: Framing;
  /** The peer's address, IPv4 in dotted form. */
  readonly address: string;
  /** Set where the handshake was at fault: the socket gets this close frame and nothing else. */
  readonly refusal: Close | undefined;
  /** What a client asked for with `types` and `since`. */
  readonly types: TypeFilter;
  readonly since: string | undefined;
  /** Wall clock. */
  readonly connectedAtMs: number;
  /** On the monotonic clock. */
  readonly openedMs: number;
  /** Gives the connection's place back, once it has ended. */
  readonly leave: () => void;
  /** When something last came from the peer, and when it was last pinged; on the monotonic clock. */
  lastSeenMs: number;
  lastPingMs: number;
  /** Nothing is read from it for now. */
  isHeld: boolean;
  /** Nothing more is taken from this socket: it was replaced, timed out, or is being closed. */
  retired: boolean;
  /** It is live: every message that passes its filter goes to it. */
  isSubscribed: boolean;
  /** Set while the client catches up. */
  replay: Replay | undefined;
  /** What a client may still send; undefined where there is no limit. */
  allowance: Allowance | undefined;
  /** A worker's token with the backplane; empty for a client. */
  readonly token: string;
  /** Commands for which a worker's buffer had no room yet, in order. Bounded as the queue that they come from. */
  readonly commands: Delivery[];
  /** Ids of the commands that a raw-framed worker was sent and has not acknowledged, at most COMMAND_QUEUE. */
  readonly sentCommands: string[];
  /** The newest command sent to a raw-framed worker. Every ping to it carries this, so that any pong acknowledges it. */
  lastCommandId: string;
}

/** What the hub needs of a WebSocket. Bun's ServerWebSocket is one; its types stay in edge/. */
export interface Socket {
  readonly data: Connection;
  /** @returns bytes written, -1 when the peer is backed up, 0 when dropped */
  send(text: string): number;
  /** Gathers what `run` sends into as few writes as possible. */
  cork(run: () => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  /** Stops reading; what has been read already still comes. */
  pause(): void;
  resume(): void;
  ping(data?: string): number;
  subscribe(topic: string): void;
  getBufferedAmount(): number;
}

/** Closes with a code and takes nothing more from the socket. */
export function retire(socket: Socket, { code, reason }: Close): void {
  // Its answer to the close must be read.
  if (socket.data.isHeld) socket.resume();
  socket.data.retired = true;
  socket.close(code, reason);
}

/** Open WebSockets; `clientStream` is the stream-framed part of `client`. */
export interface ConnectionCounts {
  readonly client: number;
  readonly clientStream: number;
  readonly worker: number;
}

export function countConnections(sockets: Iterable<Socket>): ConnectionCounts {
  const counts = { client: 0, clientStream: 0, worker: 0 };
  for (const { data } of sockets) {
    counts[data.clientType] += 1;
    if (data.clientType === "client" && data.framing === "stream") counts.clientStream += 1;
  }
  return counts;
}

/** What happens on the sockets, told to the hub by the edge. Every function is synchronous: Bun
 * would overlap asynchronous handlers of one socket (oven-sh/bun#32483). */
export interface SocketEvents {
  open(socket: Socket): void;
  text(socket: Socket, text: string): void;
  binary(socket: Socket): void;
  /** A ping came. */
  seen(socket: Socket): void;
  pong(socket: Socket, payload: string): void;
  drained(socket: Socket): void;
  closed(socket: Socket, code: number): void;
}
