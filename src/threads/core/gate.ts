import type { Seat } from "./seat.ts";

/**
 * The credits of the edges. What enters the stream goes to every edge at once, so that while one has too much to send yet,
 * nothing more is let in: it waits here, in order. Past that bound it is refused.
 */
export interface Gate {
  /** Runs it now or when there is room. @param refuse called in its place where too much waits; without it nothing is refused */
  pass(seat: Seat | undefined, byteCount: number, run: () => void, refuse?: (why: string) => void): void;
  /** Runs it as soon as nothing of this edge waits any more. */
  passBehind(seat: Seat, run: () => void): void;
  /** An edge has more to send, or, with a negative sign, less. */
  charge(seat: Seat, messages: number, bytes: number): void;
  isClosed(): boolean;
  /** To be called when an edge has gone. */
  look(): void;
  waiting(): number;
}

/** What an edge may have to send yet before others wait for it. One batch comes on top, as large as it may be. */
export const UNSENT_LIMIT_MESSAGES = 16_384;
export const UNSENT_LIMIT_BYTES = 16_777_216;
/** What may wait at the gate. */
export const GATE_LIMIT = 100_000;
export const GATE_LIMIT_BYTES = 67_108_864;

interface Waiting {
  readonly seat: Seat | undefined;
  readonly byteCount: number;
  readonly run: () => void;
}

export function createGate(seats: ReadonlySet<Seat>): Gate {
  let queue: Waiting[] = [];
  let first = 0;
  let bytes = 0;
  let isRunning = false;

  const waiting = (): number => queue.length - first;
  const isClosed = (): boolean => {
    for (const { unsentMessages, unsentBytes } of seats) {
      if (unsentMessages > UNSENT_LIMIT_MESSAGES || unsentBytes > UNSENT_LIMIT_BYTES) return true;
    }
    return false;
  };
  const enqueue = (one: Waiting): void => {
    queue.push(one);
    bytes += one.byteCount;
    if (one.seat !== undefined) one.seat.waiting += 1;
  };
  const look = (): void => {
    // What runs may charge an edge, and that looks again.
    if (isRunning) return;
    isRunning = true;
    while (waiting() > 0 && !isClosed()) {
      const { seat, byteCount, run } = queue[first] as Waiting;
      first += 1;
      bytes -= byteCount;
      if (seat !== undefined) seat.waiting -= 1;
      if (seat?.isGone !== true) run();
    }
    isRunning = false;
    if (first < 1_024 && first < queue.length) return;
    queue = queue.slice(first);
    first = 0;
  };

  return {
    pass(seat, byteCount, run, refuse) {
      if (waiting() === 0 && !isClosed()) {
        run();
        return;
      }
      if (refuse !== undefined && (waiting() >= GATE_LIMIT || bytes + byteCount > GATE_LIMIT_BYTES)) {
        refuse("the hub's connections do not take what is published fast enough");
        return;
      }
      enqueue({ seat, byteCount, run });
    },
    passBehind(seat, run) {
      if (seat.waiting === 0) run();
      else enqueue({ seat, byteCount: 0, run });
    },
    charge(seat, messages, byteCount) {
      seat.unsentMessages += messages;
      seat.unsentBytes += byteCount;
      if (messages < 0) look();
    },
    isClosed,
    look,
    waiting,
  };
}
