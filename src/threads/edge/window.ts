import type { Entry, Page } from "../../backplane/backplane.ts";
import { createRing, type RingLimits } from "../../backplane/ring.ts";

/** The part of the stream that an edge has itself: the newest entries, and the cursors of some older positions. */
export interface Window {
  push(entries: readonly Entry[]): void;
  /** Drops what is older than the limit allows. */
  expire(nowMs: number): void;
  head(): number;
  cursorAt(offset: number): string;
  /** Keeps the cursor of a position outside of the window, for whoever replays from there. */
  remember(offset: number, cursor: string): void;
  /** @returns undefined where the entries are no longer, or not whole, in the window */
  read(offset: number, upTo: number, limitMessages: number, limitBytes: number): Page | undefined;
}

/** A position is asked for in the step in which it has become known, so that few have to be kept. */
const REMEMBERED_LIMIT = 4_096;

/** @param head the offset after which the first entry will come; @param cursor names it */
export function createWindow(limits: RingLimits, head: number, cursor: string): Window {
  const ring = createRing(limits, head);
  const remembered = new Map<number, string>();
  let newest = { offset: head, cursor };

  const remember = (offset: number, named: string): void => {
    remembered.delete(offset);
    remembered.set(offset, named);
    const oldest = remembered.keys().next().value;
    if (remembered.size > REMEMBERED_LIMIT && oldest !== undefined) remembered.delete(oldest);
  };
  const held = (offset: number): Entry | undefined => {
    if (offset < ring.firstOffset()) return undefined;
    const page = ring.read(offset - 1, offset, 1, 0);
    return page.evicted ? undefined : page.entries[0];
  };

  return {
    push(entries) {
      for (const entry of entries) {
        ring.push(entry);
        newest = entry;
      }
    },
    expire: ring.expire,
    head: ring.lastOffset,
    cursorAt(offset) {
      // It may have been dropped because of its age.
      if (offset === newest.offset) return newest.cursor;
      const known = held(offset)?.cursor ?? remembered.get(offset);
      if (known === undefined) throw new Error(`the cursor of ${offset} is not known in this thread`);
      return known;
    },
    remember,
    read(offset, upTo, limitMessages, limitBytes) {
      const page = ring.read(offset, upTo, limitMessages, limitBytes);
      return page.evicted ? undefined : page;
    },
  };
}
