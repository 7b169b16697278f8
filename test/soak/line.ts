import type { Identity } from "./messages.ts";
import { readIdentity } from "./messages.ts";

/** One message of the stream as the first witness saw it. Its text is kept as a checksum only. */
export interface Entry {
  readonly cursor: string;
  readonly type: string;
  readonly checksum: number;
  /** All bytes of the stream up to and including this message. */
  readonly endByte: number;
}

/**
 * The one order of the stream, against which everything else that anybody is told is held: what an unfiltered client saw
 * that was there from the beginning. That this client itself misses nothing is known from the receipts. Only the newest
 * part is kept, so that the run may last as long as it likes.
 */
export interface Line {
  /** How many messages have been seen: the position behind the newest one. */
  length(): number;
  /** Throws when the stream repeats a message, gives one cursor twice, or turns one publisher's messages around. */
  add(cursor: string, text: string): void;
  /** Another name of the end of the line: each start of the hub gives it one of its own. */
  nameEnd(cursor: string): void;
  /** How many messages lie before this position; undefined for a cursor that is not, not yet, or no longer known. */
  positionOf(cursor: string): number | undefined;
  /** The same for the position behind a message that no other is like, by its `checksumOf`. */
  positionOfChecksum(checksum: number): number | undefined;
  entry(position: number): Entry | undefined;
  /** The first position that is still kept. */
  start(): number;
}

export const LINE_LIMIT = 30_000;

export function createLine(limit = LINE_LIMIT): Line {
  const entries: Entry[] = [];
  const positions = new Map<string, number>();
  const byText = new Map<number, number>();
  const newest = new Map<string, number>();
  let forgotten = 0;
  let endByte = 0;

  const length = (): number => forgotten + entries.length;
  const forgetSome = (): void => {
    const gone = entries.splice(0, Math.floor(limit / 4));
    forgotten += gone.length;
    for (const [cursor, position] of positions) if (position <= forgotten) positions.delete(cursor);
    for (const [checksum, position] of byText) if (position <= forgotten) byText.delete(checksum);
  };
  const checkOrder = ({ by, n }: Identity): void => {
    const before = newest.get(by) ?? 0;
    if (n <= before) throw new Error(`message ${n} of ${by} came behind its message ${before}`);
    newest.set(by, n);
  };

  return {
    length,
    add(cursor, text) {
      if (positions.has(cursor)) throw new Error(`the cursor ${cursor} was given to two messages`);
      const identity = readIdentity(text);
      if (identity !== undefined) checkOrder(identity);
      const checksum = checksumOf(text);
      endByte += text.length;
      entries.push({ cursor, type: identity?.type ?? "WORKER_STATUS", checksum, endByte });
      positions.set(cursor, length());
      if (identity !== undefined) byText.set(checksum, length());
      if (entries.length > limit) forgetSome();
    },
    nameEnd(cursor) {
      const known = positions.get(cursor);
      if (known !== undefined && known !== length())
        throw new Error(`the cursor ${cursor} names position ${known} and the end, ${length()}`);
      positions.set(cursor, length());
    },
    positionOf: (cursor) => positions.get(cursor),
    positionOfChecksum: (checksum) => byText.get(checksum),
    entry: (position) => entries[position - forgotten],
    start: () => forgotten,
  };
}

/** 53 bits: within one run no two texts have the same. */
export function checksumOf(text: string): number {
  return Number(Bun.hash(text) & 0x1f_ffff_ffff_ffffn);
}
