import type { Log } from "../../observe/log.ts";
import { type Backoff, createBackoff } from "../../protocol/backoff.ts";
import type { Cancel, Runtime, Thread } from "../../runtime.ts";
import { type Texts, unpack } from "../wire/batch.ts";
import type { ToCore } from "../wire/to-core.ts";
import type { EdgeStart, ToEdge } from "../wire/to-edge.ts";
import { askReport } from "./muster.ts";
import { createSeat, type Seat } from "./seat.ts";

const SCOPE = "threads";

/** How often each edge is asked how it is. */
export const TICK_MS = 1_000;
/** Counted in ticks, not by the clock: a process that was stopped for a while has not hung. */
const SILENT_TICKS_MAX = 10;
/** An edge with more to send than this is given up: entries of other hubs do not wait at the gate. */
const UNSENT_LIMIT_BYTES = 268_435_456;
/** A thread that ends is started anew at a random time of up to this, at first and at most. */
const RESTART_FIRST_MS = 200;
const RESTART_LIMIT_MS = 10_000;
const RESTART_STABLE_MS = 30_000;

export interface CrewOptions {
  readonly runtime: Runtime;
  readonly log: Log;
  /** How many threads. */
  readonly count: number;
  /** What a thread is given to start with, as of now. */
  readonly startOf: (seat: Seat) => EdgeStart;
  /** Whoever is in it is told of everything. The crew sees to it. */
  readonly seats: Set<Seat>;
  /** Takes what an edge says. */
  readonly take: (seat: Seat, op: ToCore, texts: Texts) => void;
  /** A thread has ended; it is in no seat any more. */
  readonly gone: (seat: Seat) => void;
}

/** The edge threads: starts them, and starts them anew when they end or hang. */
export interface Crew {
  /** Resolves when all of them listen. @throws Error with what the first that cannot says */
  start(): Promise<void>;
  /** Sends the clients of all away, evenly over so long. Resolves when all have done so, or ended, or after `limitMs`. */
  drain(spreadMs: number, limitMs: number): Promise<void>;
  /** The same for everybody who is left, at once. */
  stop(limitMs: number): Promise<void>;
  /** No new connections, and no thread is started anew. */
  unlisten(): void;
  restarts(): number;
  /** Ends all threads at once. */
  end(): void;
}

/** Why a thread could not begin. */
export class ThreadError extends Error {
  readonly isListenError: boolean;
  constructor(why: string, isListenError: boolean) {
    super(why);
    this.isListenError = isListenError;
  }
}

interface Post {
  readonly number: number;
  readonly backoff: Backoff;
  thread: Thread | undefined;
  seat: Seat | undefined;
  cancelRestart: Cancel | undefined;
}

export function createCrew(options: CrewOptions): Crew {
  const { runtime, log, seats } = options;
  const posts: readonly Post[] = Array.from({ length: options.count }, (_, number) => ({
    number,
    backoff: createBackoff({
      runtime,
      firstMs: RESTART_FIRST_MS,
      limitMs: RESTART_LIMIT_MS,
      stableMs: RESTART_STABLE_MS,
    }),
    thread: undefined,
    seat: undefined,
    cancelRestart: undefined,
  }));
  /** Called when an edge listens, or cannot. */
  const begun = new Map<Seat, (error?: ThreadError) => void>();
  /** What is called when an edge has followed the present order. */
  const ordered = new Map<Seat, () => void>();
  let restarts = 0;
  let isEnding = false;

  const fill = (post: Post): void => {
    const seat = createSeat(post.number, (batch) => post.thread?.post(batch), runtime.soon);
    post.seat = seat;
    post.thread = runtime.startThread({
      message: (batch) => hear(post, seat, batch as string),
      ended: (why) => lose(post, seat, why),
    });
    // In the same turn as it joins: it misses nothing, and is told nothing twice.
    post.thread.post(options.startOf(seat));
    seats.add(seat);
  };

  const hear = (post: Post, seat: Seat, batch: string): void => {
    if (seat.isGone) return;
    seat.silentTicks = 0;
    const { ops, texts } = unpack<ToCore>(batch);
    for (const op of ops) {
      try {
        if (!takeOwn(post, seat, op)) options.take(seat, op, texts);
      } catch (error) {
        // One edge's request must not end the process. Its texts may be out of step now, so that it starts anew.
        log.error?.("FAIL", SCOPE, "Unexpected error", { op: op.op, error: stackOf(error) });
        lose(post, seat, `what it said could not be taken: ${op.op}`);
        return;
      }
    }
  };

  const takeOwn = (post: Post, seat: Seat, op: ToCore): boolean => {
    switch (op.op) {
      case "log":
        seat.loggedBytes += op.line.length;
        runtime.writeLog(op.line);
        return true;
      case "listening":
        post.backoff.succeeded();
        begun.get(seat)?.();
        return true;
      case "failed":
        begun.get(seat)?.(new ThreadError(op.why, op.isListenError));
        lose(post, seat, op.why);
        return true;
      case "drained":
      case "stopped":
        ordered.get(seat)?.();
        return true;
      default:
        return false;
    }
  };

  const lose = (post: Post, seat: Seat, why: string): void => {
    if (seat.isGone) return;
    seat.isGone = true;
    seats.delete(seat);
    post.thread?.terminate();
    post.thread = undefined;
    post.seat = undefined;
    begun.get(seat)?.(new ThreadError(`a thread has ended: ${why}`, false));
    options.gone(seat);
    ordered.get(seat)?.();
    if (isEnding) return;
    log.error?.("FAIL", SCOPE, "Thread ended: its connections are lost", { thread: post.number, why });
    post.cancelRestart = runtime.after(post.backoff.nextDelayMs(), () => {
      restarts += 1;
      log.warning?.("START", SCOPE, "Thread started anew", { thread: post.number });
      fill(post);
    });
  };

  const look = (post: Post): void => {
    const { seat } = post;
    if (seat === undefined) return;
    seat.silentTicks += 1;
    if (seat.silentTicks > SILENT_TICKS_MAX) lose(post, seat, `it has hung for ${SILENT_TICKS_MAX} seconds`);
    else if (seat.unsentBytes > UNSENT_LIMIT_BYTES) lose(post, seat, "it does not keep up");
    else askReport(seat);
  };
  const stopTicking = runtime.every(TICK_MS, () => {
    for (const post of posts) look(post);
  });

  const end = (): void => {
    isEnding = true;
    stopTicking();
    for (const post of posts) {
      post.cancelRestart?.();
      if (post.seat !== undefined) lose(post, post.seat, "the hub ends");
    }
  };

  const order = async (limitMs: number, opFor: (seat: Seat) => ToEdge): Promise<void> => {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = runtime.after(limitMs, resolve);
    const followed = [...seats].map((seat) => {
      seat.outbox.say(opFor(seat));
      return new Promise<void>((done) => void ordered.set(seat, done));
    });
    await Promise.race([Promise.all(followed), late]);
    cancel();
    ordered.clear();
  };

  return {
    async start() {
      const listening = posts.map(
        (post) =>
          new Promise<void>((resolve, reject) => {
            fill(post);
            begun.set(post.seat as Seat, (error) => (error === undefined ? resolve() : reject(error)));
          }),
      );
      try {
        await Promise.all(listening);
      } catch (error) {
        end();
        throw error;
      } finally {
        begun.clear();
      }
    },
    drain(spreadMs, limitMs) {
      const busy = [...seats].filter(({ report }) => clientsOf(report) > 0);
      const connections = busy.reduce((sum, { report }) => sum + clientsOf(report), 0);
      return order(limitMs, (seat) => {
        const phase = Math.max(0, busy.indexOf(seat)) / Math.max(1, busy.length);
        return { op: "drain", spreadMs, share: { connections, phase } };
      });
    },
    stop: (limitMs) => order(limitMs, () => ({ op: "stop" })),
    unlisten() {
      isEnding = true;
      for (const post of posts) {
        post.cancelRestart?.();
        post.seat?.outbox.say({ op: "unlisten" });
      }
    },
    restarts: () => restarts,
    end,
  };
}

function clientsOf(report: Seat["report"]): number {
  return report === undefined ? 0 : report.client + report.sse;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
