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

/** The first size of the slot array; it doubles until it holds `limits.messages`. */
const FIRST_SLOTS = 1_024;

/** @param lastOffset the offset after which the first entry will come */
export function createRing(limits: RingLimits, lastOffset: number): Ring {
  // Offsets are consecutive, so an entry's place is its offset modulo the size. A slot is written over by its successor:
  // nothing is shifted or copied, and what is evicted is let go at once.
  let slots = new Array<Entry | undefined>(Math.min(FIRST_SLOTS, limits.messages));
  let first = lastOffset + 1;
  let last = lastOffset;
  let bytes = 0;

  const count = (): number => last - first + 1;
  const at = (offset: number): Entry => slots[offset % slots.length] as Entry;
  const dropOldest = (): void => {
    bytes -= at(first).byteCount;
    slots[first % slots.length] = undefined;
    first++;
  };
  const grow = (): void => {
    const larger = new Array<Entry | undefined>(Math.min(slots.length * 2, limits.messages));
    for (let offset = first; offset <= last; offset++) larger[offset % larger.length] = at(offset);
    slots = larger;
  };

  return {
    push(entry) {
      if (count() === limits.messages) dropOldest();
      else if (count() === slots.length) grow();
      slots[entry.offset % slots.length] = entry;
      last = entry.offset;
      bytes += entry.byteCount;
      while (bytes > limits.bytes && count() > 1) dropOldest();
    },
    expire(nowMs) {
      while (count() > 0 && nowMs - at(first).atMs > limits.ageMs) dropOldest();
    },
    firstOffset: () => first,
    lastOffset: () => last,
    read(offset, upTo, limitMessages, limitBytes) {
      if (offset < first - 1) return { evicted: true };
      const page: Entry[] = [];
      let pageBytes = 0;
      for (let next = offset + 1; next <= Math.min(upTo, last) && page.length < limitMessages; next++) {
        const entry = at(next);
        if (page.length > 0 && pageBytes + entry.byteCount > limitBytes) break;
        page.push(entry);
        pageBytes += entry.byteCount;
      }
      return { evicted: false, entries: page };
    },
    fill: () => ({ messages: count(), bytes }),
  };
}
