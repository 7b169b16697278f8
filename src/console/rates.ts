/** Messages of each second, and the worker's state in it, over the last minutes. */
export interface Rates {
  count(nowMs: number): void;
  /** The worker's state from this second on. */
  worker(nowMs: number, isOnline: boolean | undefined): void;
  /** The last `seconds` full seconds, the oldest first. */
  last(nowMs: number, seconds: number): readonly Second[];
}

export interface Second {
  /** Seconds since 1970. */
  readonly at: number;
  readonly messages: number;
  readonly isWorkerOnline: boolean | undefined;
}

/** How far back the chart can go. */
export const SECONDS_LIMIT = 600;

export function createRates(): Rates {
  const messages = new Map<number, number>();
  const changes: { readonly at: number; readonly isOnline: boolean | undefined }[] = [];
  const secondOf = (ms: number): number => Math.floor(ms / 1000);

  return {
    count(nowMs) {
      const second = secondOf(nowMs);
      messages.set(second, (messages.get(second) ?? 0) + 1);
      if (messages.size <= SECONDS_LIMIT + 1) return;
      const [oldest] = messages.keys();
      if (oldest !== undefined) messages.delete(oldest);
    },
    worker(nowMs, isOnline) {
      changes.push({ at: secondOf(nowMs), isOnline });
      if (changes.length > SECONDS_LIMIT) changes.shift();
    },
    last(nowMs, seconds) {
      const end = secondOf(nowMs);
      const found: Second[] = [];
      let change = 0;
      let isWorkerOnline: boolean | undefined;
      for (let at = end - seconds; at < end; at += 1) {
        for (let next = changes[change]; next !== undefined && next.at <= at; next = changes[change]) {
          // A second in which it was away shows so, even where it came back in the same one.
          const isSame = next.at === at && isWorkerOnline === false && next.at === changes[change - 1]?.at;
          isWorkerOnline = isSame ? false : next.isOnline;
          change += 1;
        }
        found.push({ at, messages: messages.get(at) ?? 0, isWorkerOnline });
        // The state at the end of the second is that of the next one.
        isWorkerOnline = changes[change - 1]?.isOnline;
      }
      return found;
    },
  };
}
