import type { Entry, Page } from "./backplane.ts";

export interface RingLimits {
  readonly messages: number;
  readonly bytes: number;
  readonly ageMs: number;
}

/** The newest entries of the stream in memory, bounded three ways. Everything that is replayed is read from here. */
export interface Ring {
  push(entry: Entry): void;
  /** Drops what is older than the limit allows. */
  expire(nowMs: number): void;
  /** The offset of the oldest entry held; one past the newest when none is. */
  firstOffset(): number;
  lastOffset(): number;
  read(offset: number, upTo: number, limitMessages: number, limitBytes: number): Page;
  fill(): { readonly messages: number; readonly bytes: number };
}

/** @param lastOffset the offset after which the first entry will come */
export function createRing(limits: RingLimits, lastOffset: number): Ring {
  /** Entries before `start` are evicted; they are cut off only now and then, because shifting an array is linear. */
  let entries: Entry[] = [];
  let start = 0;
  let bytes = 0;
  let last = lastOffset;

  const dropOldest = (): void => {
    bytes -= entries[start]?.byteCount ?? 0;
    start++;
    if (start > entries.length / 2 && start > 64) {
      entries = entries.slice(start);
      start = 0;
    }
  };
  const count = (): number => entries.length - start;
  const first = (): number => last - count() + 1;

  return {
    push(entry) {
      entries.push(entry);
      bytes += entry.byteCount;
      last = entry.offset;
      while (count() > limits.messages || (bytes > limits.bytes && count() > 1)) dropOldest();
    },
    expire(nowMs) {
      while (count() > 0 && nowMs - (entries[start] as Entry).atMs > limits.ageMs) dropOldest();
    },
    firstOffset: first,
    lastOffset: () => last,
    read(offset, upTo, limitMessages, limitBytes) {
      if (offset < first() - 1) return { evicted: true };
      const page: Entry[] = [];
      let pageBytes = 0;
      for (let at = start + (offset - first() + 1); at < entries.length; at++) {
        const entry = entries[at] as Entry;
        if (entry.offset > upTo || page.length === limitMessages) break;
        if (page.length > 0 && pageBytes + entry.byteCount > limitBytes) break;
        page.push(entry);
        pageBytes += entry.byteCount;
      }
      return { evicted: false, entries: page };
    },
    fill: () => ({ messages: count(), bytes }),
  };
}
