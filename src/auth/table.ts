import type { Runtime } from "../runtime.ts";

/** A map that cannot grow without end, whoever chooses its keys. */
export interface Table<Value> {
  /** The value, unless it has expired or was evicted. Reading does not make it live longer. */
  get(key: string): Value | undefined;
  /** Sets a value and starts its time anew. In a full table it takes the place of the one set longest ago. */
  set(key: string, value: Value): void;
  /** How many are held, at most `maxEntries`. Those that have expired count until the next `set`. */
  size(): number;
}

export interface TableOptions {
  readonly maxEntries: number;
  /** How long each value counts. One length for all, so that the entries stand in the order in which they expire. */
  readonly ttlMs: number;
  readonly runtime: Pick<Runtime, "monotonicMs">;
}

/** Makes an empty table. Every call takes constant time, spread over the calls. */
export function createTable<Value>({ maxEntries, ttlMs, runtime }: TableOptions): Table<Value> {
  const entries = new Map<string, { readonly value: Value; readonly endsMs: number }>();

  /** The oldest stand first, so this looks at no entry that stays. */
  const dropExpired = (nowMs: number): void => {
    for (const [key, { endsMs }] of entries) {
      if (endsMs > nowMs) return;
      entries.delete(key);
    }
  };
  return {
    get(key) {
      const entry = entries.get(key);
      return entry !== undefined && entry.endsMs > runtime.monotonicMs() ? entry.value : undefined;
    },
    set(key, value) {
      const nowMs = runtime.monotonicMs();
      // A key that is set again must go to the end, and a Map keeps it where it was.
      entries.delete(key);
      dropExpired(nowMs);
      const [oldest] = entries.keys();
      if (oldest !== undefined && entries.size >= maxEntries) entries.delete(oldest);
      entries.set(key, { value, endsMs: nowMs + ttlMs });
    },
    size: () => entries.size,
  };
}
