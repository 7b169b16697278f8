import type { Runtime } from "../../src/runtime.ts";
import { createRandom } from "./random.ts";

/** A runtime whose time passes only when the test says so. */
export interface FakeRuntime extends Runtime {
  /**
   * Lets so much time pass. Every timer runs at the very moment at which it is due; what was to run soon runs also
   * with `advance(0)`.
   */
  advance(byMs: number): void;
  /** Lets so much time pass in which nothing can run, as when the process was stopped; then runs what is due, late. */
  stall(byMs: number): void;
  /** How many timers wait, those of `soon` included. */
  timerCount(): number;
  readonly logLines: readonly string[];
}

interface Timer {
  dueMs: number;
  readonly everyMs: number | undefined;
  readonly run: () => void;
}

/** 2026-01-01: the wall clock and the monotonic clock must not be mistaken for one another. */
const START_MS = 1_767_225_600_000;

/** @param seed decides every random value, so that a failure can be repeated */
export function createFakeRuntime(seed = 1): FakeRuntime {
  const random = createRandom(seed);
  const timers = new Set<Timer>();
  const logLines: string[] = [];
  let elapsedMs = 0;

  const add = (timer: Timer) => {
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  /** The timer that is due first by then; of several, the oldest. */
  const nextDue = (byMs: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= byMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    }
    return first;
  };
  const runDue = (timer: Timer): void => {
    timers.delete(timer);
    if (timer.everyMs !== undefined) {
      timer.dueMs = Math.max(timer.dueMs, elapsedMs) + timer.everyMs;
      timers.add(timer);
    }
    timer.run();
  };

  return {
    nowMs: () => START_MS + elapsedMs,
    monotonicMs: () => elapsedMs,
    // Never due at once: a real timer does not run before the present turn is over.
    every: (everyMs, run) =>
      add({ dueMs: elapsedMs + Math.max(1, everyMs), everyMs: Math.max(1, everyMs), run }),
    after: (delayMs, run) => add({ dueMs: elapsedMs + Math.max(1, delayMs), everyMs: undefined, run }),
    soon: (run) => void add({ dueMs: elapsedMs, everyMs: undefined, run }),
    random: () => random.below(2 ** 32) / 2 ** 32,
    randomHex: (byteCount) => Buffer.from(random.bytes(byteCount)).toString("hex"),
    fetch: () => Promise.reject(new Error("the fake runtime reaches no network")),
    writeLog: (line) => void logLines.push(line),
    flushLog: () => Promise.resolve(),
    coreCount: () => 1,
    startThread() {
      throw new Error("the fake runtime starts no threads");
    },
    advance(byMs) {
      const endMs = elapsedMs + byMs;
      for (let timer = nextDue(endMs); timer !== undefined; timer = nextDue(endMs)) {
        elapsedMs = Math.max(elapsedMs, timer.dueMs);
        runDue(timer);
      }
      elapsedMs = endMs;
    },
    stall(byMs) {
      elapsedMs += byMs;
      for (let timer = nextDue(elapsedMs); timer !== undefined; timer = nextDue(elapsedMs)) runDue(timer);
    },
    timerCount: () => timers.size,
    logLines,
  };
}
