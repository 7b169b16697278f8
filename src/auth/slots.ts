/** How an attempt to get a slot ended. Whoever `entered` must leave. */
export type Entry = "entered" | "full" | "aborted";

/** Lets a bounded number do something at once, and a bounded number wait for it, in their order. */
export interface Slots {
  /** @param signal ends the waiting */
  enter(signal: AbortSignal): Promise<Entry>;
  leave(): void;
  running(): number;
  waiting(): number;
}

export interface SlotLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
}

export function createSlots({ maxRunning, maxWaiting }: SlotLimits): Slots {
  const waiters = new Set<(entry: Entry) => void>();
  let running = 0;
  return {
    enter(signal) {
      if (signal.aborted) return Promise.resolve("aborted");
      if (running < maxRunning) {
        running += 1;
        return Promise.resolve("entered");
      }
      if (waiters.size >= maxWaiting) return Promise.resolve("full");
      return new Promise((resolve) => {
        const settle = (entry: Entry): void => {
          waiters.delete(settle);
          signal.removeEventListener("abort", giveUp);
          resolve(entry);
        };
        const giveUp = (): void => settle("aborted");
        waiters.add(settle);
        signal.addEventListener("abort", giveUp);
      });
    },
    leave() {
      const [next] = waiters;
      // Handed on as it is: a newcomer must not slip in between.
      if (next === undefined) running -= 1;
      else next("entered");
    },
    running: () => running,
    waiting: () => waiters.size,
  };
}
