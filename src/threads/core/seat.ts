import type { Transport } from "../../observe/metrics.ts";
import { createOutbox, type Outbox } from "../wire/batch.ts";
import { hotlineMemory } from "../wire/hotline.ts";
import type { Report } from "../wire/to-core.ts";
import type { ToEdge } from "../wire/to-edge.ts";

/** A worker whose socket an edge has. */
export interface Member {
  readonly connId: string;
  lastSeenAtMs: number;
  /** Commands, and bytes of them, that it was sent and has not said to have taken. */
  commands: number;
  bytes: number;
  /** The backplane waits until it can take more. */
  isFull: boolean;
}

export type Counts = Record<Transport, number>;

/** How many connections want what: all types, or some by name. */
export interface Audience {
  readonly all: Counts;
  readonly byType: Map<string, Counts>;
}

/** What the core knows of one edge. A thread that is started anew gets a new one. */
export interface Seat {
  /** From 0. */
  readonly thread: number;
  readonly outbox: Outbox<ToEdge>;
  readonly hotline: SharedArrayBuffer;
  readonly members: Map<string, Member>;
  readonly audience: Audience;
  /** Gives back the places of its clients, by address. */
  readonly places: Map<string, (() => void)[]>;
  /** Entries, and bytes of them, that it was told of and has not said to have sent. */
  unsentMessages: number;
  unsentBytes: number;
  /** How much of what it has said waits at the gate. */
  waiting: number;
  /** Bytes of log lines taken since that was last said. */
  loggedBytes: number;
  /** How often it has been asked how it is since something last came from it. */
  silentTicks: number;
  report: Report | undefined;
  /** Its thread has ended: what still comes of it is nobody's. */
  isGone: boolean;
}

/** @param soon calls back when the present step is over */
export function createSeat(
  thread: number,
  post: (batch: string) => void,
  soon: (run: () => void) => void,
): Seat {
  const seat: Seat = {
    thread,
    outbox: createOutbox<ToEdge>(
      (batch) => {
        if (!seat.isGone) post(batch);
      },
      soon,
      soon,
    ),
    hotline: hotlineMemory(),
    members: new Map(),
    audience: { all: { websocket: 0, sse: 0 }, byType: new Map() },
    places: new Map(),
    unsentMessages: 0,
    unsentBytes: 0,
    waiting: 0,
    loggedBytes: 0,
    silentTicks: 0,
    report: undefined,
    isGone: false,
  };
  return seat;
}
