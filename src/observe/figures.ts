import { readdirSync } from "node:fs";
import type { Cancel, Runtime } from "../runtime.ts";

/** How late timers come, which is how long other work holds up the event loop. */
export interface LoopLag {
  /** The worst delay of the last 15 to 30 seconds, in seconds. */
  worstSeconds(): number;
  stop: Cancel;
}

const LAG_INTERVAL_MS = 250;
const LAG_WINDOW_MS = 15_000;

export function watchLoopLag(runtime: Runtime): LoopLag {
  let expectedMs = runtime.monotonicMs() + LAG_INTERVAL_MS;
  let windowEndsMs = runtime.monotonicMs() + LAG_WINDOW_MS;
  let worstMs = 0;
  let formerWorstMs = 0;
  const stop = runtime.every(LAG_INTERVAL_MS, () => {
    const nowMs = runtime.monotonicMs();
    worstMs = Math.max(worstMs, nowMs - expectedMs);
    expectedMs = nowMs + LAG_INTERVAL_MS;
    if (nowMs < windowEndsMs) return;
    windowEndsMs = nowMs + LAG_WINDOW_MS;
    formerWorstMs = worstMs;
    worstMs = 0;
  });
  return { worstSeconds: () => Math.max(worstMs, formerWorstMs) / 1000, stop };
}

/** How fast a total grows, over the last ten seconds. */
export interface Rate {
  perSecond(): number;
  stop: Cancel;
}

const RATE_SAMPLES = 10;

export function watchRate(runtime: Runtime, total: () => number): Rate {
  const samples: { readonly atMs: number; readonly total: number }[] = [];
  const sample = (): void => {
    samples.push({ atMs: runtime.monotonicMs(), total: total() });
    if (samples.length > RATE_SAMPLES) samples.shift();
  };
  sample();
  return {
    perSecond() {
      const oldest = samples[0] as { atMs: number; total: number };
      const elapsedMs = runtime.monotonicMs() - oldest.atMs;
      return elapsedMs < 1 ? 0 : Math.round(((total() - oldest.total) / elapsedMs) * 10_000) / 10;
    },
    stop: runtime.every(1_000, sample),
  };
}

/** What the operating system says of this process. */
export function processFigures() {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1_000_000,
    residentBytes: process.memoryUsage.rss(),
    openFiles: openFiles(),
  };
}

/** 0 where there is no /proc. */
function openFiles(): number {
  try {
    // Without the one that reads the folder.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return 0;
  }
}
