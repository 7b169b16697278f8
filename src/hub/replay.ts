import type { Backplane, Entry, Page } from "../backplane/backplane.ts";
import type { Runtime } from "../runtime.ts";

/** A connection that catches up. */
export interface Replay {
  /** Writes the entries of a page that pass the connection's filter. */
  write(entries: readonly Entry[]): void;
  /** Is what was written still waiting to be sent? The next page comes after `drained`. */
  isBackedUp(): boolean;
  /** The seam: everything up to the live position is written. Must subscribe before it returns. */
  join(): void;
  /** Eviction has overtaken the replay, or the peer reads nothing: it must come back. */
  abandon(why: "evicted" | "stalled"): void;
}

export interface Replays {
  /** Queues a replay of everything after `offset`. */
  start(replay: Replay, offset: number): void;
  /** The connection's buffer is empty again. */
  drained(replay: Replay): void;
  /** The connection has ended. */
  stop(replay: Replay): void;
  /** Forgets all of them. */
  stopAll(): void;
}

/** So many replay at once; the rest wait in order. */
export const REPLAYS_LIMIT = 64;
/** A replay that is backed up for so long gives its place to the next. */
const STALL_LIMIT_MS = 15_000;
const PAGE_LIMIT_MESSAGES = 256;
export const PAGE_LIMIT_BYTES = 131_072;
/** What all replays together may do in one turn of the event loop, so that live messages are not held up. */
const TURN_LIMIT_MESSAGES = 1_024;
const TURN_LIMIT_BYTES = 524_288;
/**
 * With much to fan out the turns are long and few, and a fleet that comes back would fall behind faster than it catches
 * up. So replays may take as long as everything else has taken, up to this.
 */
const TURN_LIMIT_MS = 50;

interface Running {
  readonly replay: Replay;
  offset: number;
  /** When it was last able to take a page; on the monotonic clock. */
  progressMs: number;
  isQueued: boolean;
  /** Is a page being fetched from elsewhere? It waits here for the next step. */
  isFetching: boolean;
  fetched: Page | undefined;
}

/**
 * Paces replays. A connection that replays is not subscribed; in the very turn in which its position reaches the live one
 * it joins. So nothing has to be queued for it meanwhile, and no message can fall between.
 * @param pageLimitBytes what one replay is sent before its buffer is looked at, or one message if that is larger
 */
export function createReplays(
  backplane: Pick<Backplane, "read">,
  runtime: Runtime,
  liveOffset: () => number,
  pageLimitBytes: number,
): Replays {
  const running = new Map<Replay, Running>();
  const waiting = new Map<Replay, number>();
  /** Those that can take a page, in turn. */
  let ready: Running[] = [];
  let isScheduled = false;
  /** When the last turn was over, or the first of a row was asked for. */
  let endedMs = 0;

  const enqueue = (run: Running): void => {
    run.isQueued = true;
    ready.push(run);
    if (isScheduled) return;
    isScheduled = true;
    endedMs = runtime.monotonicMs();
    runtime.soon(turn);
  };

  const finish = (run: Running): void => {
    running.delete(run.replay);
    const next = waiting.entries().next().value;
    if (next === undefined) return;
    waiting.delete(next[0]);
    begin(...next);
  };

  const begin = (replay: Replay, offset: number): void => {
    const run = {
      replay,
      offset,
      progressMs: runtime.monotonicMs(),
      isQueued: false,
      isFetching: false,
      fetched: undefined,
    };
    running.set(replay, run);
    enqueue(run);
  };

  /** A page that cannot be had any more is as good as evicted. */
  const fetch = (run: Running, page: Promise<Page>): void => {
    run.isFetching = true;
    void page
      .catch((): Page => ({ evicted: true }))
      .then((fetched) => {
        run.isFetching = false;
        if (running.get(run.replay) !== run) return;
        run.fetched = fetched;
        enqueue(run);
      });
  };

  /** Writes one page. @returns what it cost */
  const step = (run: Running): { messages: number; bytes: number } => {
    const cost = { messages: 1, bytes: 0 };
    const page = run.fetched ?? backplane.read(run.offset, liveOffset(), PAGE_LIMIT_MESSAGES, pageLimitBytes);
    run.fetched = undefined;
    if (page instanceof Promise) {
      fetch(run, page);
      return cost;
    }
    if (page.evicted) {
      finish(run);
      run.replay.abandon("evicted");
      return cost;
    }
    run.progressMs = runtime.monotonicMs();
    if (page.entries.length > 0) {
      run.replay.write(page.entries);
      run.offset = page.entries.at(-1)?.offset ?? run.offset;
      for (const entry of page.entries) cost.bytes += entry.byteCount;
      cost.messages += page.entries.length;
    }
    // Whoever joins while backed up would be closed as too slow by the next live message: `drained` comes back here.
    if (run.replay.isBackedUp()) return cost;
    // A batch that is sent in slices is in the history, and its receipt may be known, before it is live: who comes with
    // such a cursor waits for the rest.
    if (run.offset > liveOffset()) {
      enqueue(run);
      return cost;
    }
    // Nothing can be published between this comparison and the join: both are in one synchronous step.
    if (run.offset === liveOffset()) {
      finish(run);
      run.replay.join();
    } else {
      enqueue(run);
    }
    return cost;
  };

  const turn = (): void => {
    const startedMs = runtime.monotonicMs();
    const limitMs = Math.min(startedMs - endedMs, TURN_LIMIT_MS);
    let messages = 0;
    let bytes = 0;
    const mayGoOn = (): boolean =>
      (messages < TURN_LIMIT_MESSAGES && bytes < TURN_LIMIT_BYTES) ||
      runtime.monotonicMs() - startedMs < limitMs;

    let isMoving = true;
    // `isScheduled` stays set meanwhile: a page that enqueues must not schedule a second turn.
    while (isMoving && ready.length > 0 && mayGoOn()) {
      const runs = ready;
      ready = [];
      isMoving = false;
      let at = 0;
      for (; at < runs.length && mayGoOn(); at++) {
        const run = runs[at] as Running;
        run.isQueued = false;
        if (running.get(run.replay) !== run) continue;
        const cost = step(run);
        messages += cost.messages;
        bytes += cost.bytes;
        // Whoever waits for the rest of a batch must not be asked again in this turn.
        if (cost.bytes > 0) isMoving = true;
      }
      ready = [...runs.slice(at), ...ready];
    }
    isScheduled = ready.length > 0;
    endedMs = runtime.monotonicMs();
    if (isScheduled) runtime.soon(turn);
  };

  const stopWatch = runtime.every(STALL_LIMIT_MS / 3, () => {
    const nowMs = runtime.monotonicMs();
    for (const run of running.values()) {
      if (run.isQueued || run.isFetching || nowMs - run.progressMs < STALL_LIMIT_MS) continue;
      finish(run);
      run.replay.abandon("stalled");
    }
  });

  return {
    start(replay, offset) {
      if (running.size < REPLAYS_LIMIT) begin(replay, offset);
      else waiting.set(replay, offset);
    },
    drained(replay) {
      const run = running.get(replay);
      if (run !== undefined && !run.isQueued && !run.isFetching) enqueue(run);
    },
    stop(replay) {
      waiting.delete(replay);
      const run = running.get(replay);
      if (run !== undefined) finish(run);
    },
    stopAll() {
      stopWatch();
      waiting.clear();
      running.clear();
    },
  };
}
