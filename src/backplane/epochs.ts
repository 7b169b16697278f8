import { type Cursor, EARLIEST, formatCursor, parseCursor } from "../protocol/cursor.ts";
import type { Located } from "./backplane.ts";
import type { Ring } from "./ring.ts";

/** One start of the hub, and the offset of the first entry that it may write. */
export interface Epoch {
  readonly id: string;
  readonly firstOffset: number;
}

/** Cursors of older epochs are `unknown`; each start adds one, so this is that many restarts. */
export const EPOCHS_LIMIT = 1_000;

/**
 * Every start opens a new epoch, and a cursor is an epoch and an offset. A cursor inside the range that its epoch really
 * wrote stays valid over restarts; one past its end (a power loss took the tail, or a backup was restored) never becomes
 * valid again, since later offsets belong to later epochs. So no cursor can ever mean two messages.
 */
export interface Epochs {
  cursorAt(offset: number): string;
  /** Was this position ever reached in its epoch? `lastOffset` is the newest of the stream. */
  isKnown(cursor: Cursor, lastOffset: number): boolean;
}

/** @param epochs oldest first; the last one is the present */
export function createEpochs(epochs: readonly Epoch[]): Epochs {
  const indexOf = new Map(epochs.map((epoch, index) => [epoch.id, index]));
  const present = epochs.at(-1) as Epoch;
  return {
    cursorAt(offset) {
      // Almost always the present one. An older entry keeps the epoch that wrote it: clients and receipts have its cursor.
      const epoch =
        offset >= present.firstOffset
          ? present
          : (epochs.findLast(({ firstOffset }) => firstOffset <= offset) ?? (epochs[0] as Epoch));
      return formatCursor({ epoch: epoch.id, offset });
    },
    isKnown({ epoch, offset }, lastOffset) {
      const index = indexOf.get(epoch);
      if (index === undefined) return false;
      const firstOffset = (epochs[index] as Epoch).firstOffset;
      const next = epochs[index + 1];
      const endOffset = next === undefined ? lastOffset : next.firstOffset - 1;
      return offset >= firstOffset - 1 && offset <= endOffset;
    },
  };
}

/** Where `since` stands in what is held, or why nothing can be resumed from it (PROTOCOL.md, section 3). */
export function locateIn(
  ring: Pick<Ring, "firstOffset" | "lastOffset">,
  epochs: Pick<Epochs, "isKnown">,
  since: string,
): Located {
  if (since === EARLIEST) return { ok: true, offset: ring.firstOffset() - 1 };
  const cursor = parseCursor(since);
  if (cursor === undefined || !epochs.isKnown(cursor, ring.lastOffset()))
    return { ok: false, reason: "unknown" };
  return cursor.offset < ring.firstOffset() - 1
    ? { ok: false, reason: "evicted" }
    : { ok: true, offset: cursor.offset };
}
