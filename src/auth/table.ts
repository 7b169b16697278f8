import type { Runtime } from "../runtime.ts";

/** A map that cannot grow without end, whoever chooses its keys. */
export interface Table<Value> {
  /** The value, unless it has expired or was evicted. */
  get(key: string): Value | undefined;
  /**
   * Adds a value, or replaces the one that is there, whose time runs on: each entry goes in the order in which it came.
   * In a full table a new entry takes the place of the oldest.
   */
  set(key: string, value: Value): void;
  /** How many are held, at most `maxEntries`. Those that have expired count until the next `set`. */
  size(): number;
}

export interface TableOptions {
  readonly maxEntries: number;
  /** How long each entry counts from when it came. One length for all, so that the oldest is the first to expire. */
  readonly ttlMs: number;
  readonly runtime: Pick<Runtime, "monotonicMs">;
}

interface Entry<Value> {
  readonly key: string;
  value: Value;
  readonly endsMs: number;
}

/** Makes an empty table. Every call takes constant time, dropping the expired spread over the calls. */
export function createTable<Value>({ maxEntries, ttlMs, runtime }: TableOptions): Table<Value> {
  const entries = new Map<string, Entry<Value>>();
  // The same entries by age, from `oldest` on and round: to ask a Map for its first key takes time that grows with what
  // was deleted in front of it, 7 µs at 10,000 entries.
  const ring = new Array<Entry<Value> | undefined>(maxEntries);
  let oldest = 0;

  const dropOldest = ({ key }: Entry<Value>): void => {
    entries.delete(key);
    ring[oldest] = undefined;
    oldest = (oldest + 1) % maxEntries;
  };
  return {
    get(key) {
      const entry = entries.get(key);
      return entry !== undefined && entry.endsMs > runtime.monotonicMs() ? entry.value : undefined;
    },
    set(key, value) {
      const nowMs = runtime.monotonicMs();
      for (let entry = ring[oldest]; entry !== undefined && entry.endsMs <= nowMs; entry = ring[oldest]) {
        dropOldest(entry);
      }
      const present = entries.get(key);
      if (present !== undefined) {
        present.value = value;
        return;
      }
      const evicted = ring[oldest];
      if (entries.size === maxEntries && evicted !== undefined) dropOldest(evicted);
      const entry: Entry<Value> = { key, value, endsMs: nowMs + ttlMs };
      ring[(oldest + entries.size) % maxEntries] = entry;
      entries.set(key, entry);
    },
    size: () => entries.size,
  };
}
