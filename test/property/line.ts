/** One message of the stream, as the witness has seen it. */
export interface LineEntry {
  readonly cursor: string;
  readonly text: string;
  readonly type: string | undefined;
  /** Who published it, and the number that it was given; undefined for what the hub itself has published. */
  readonly by: string | undefined;
  readonly op: number | undefined;
}

/**
 * The one order of the stream, against which everything else is held. It is what an unfiltered client of stream framing
 * sees that is there from the beginning; that this client itself misses nothing is known from the publishers' receipts.
 * With a history file a line goes on over restarts, without one each start of the hub begins another.
 */
export interface Line {
  readonly historyMessages: number;
  readonly entries: readonly LineEntry[];
  add(cursor: string, text: string): void;
  /** Notes another name of the end of the line: each start of the hub gives it one of its own. */
  nameEnd(cursor: string): void;
  /** How many entries lie before this position. Throws for a cursor that names no position of this line. */
  positionOf(cursor: string): number;
  has(cursor: string): boolean;
}

export function createLine(historyMessages: number): Line {
  const entries: LineEntry[] = [];
  const positions = new Map<string, number>();
  const ops = new Set<number>();
  return {
    historyMessages,
    entries,
    add(cursor, text) {
      if (positions.has(cursor)) throw new Error(`the cursor ${cursor} was given to two messages`);
      const { type, by, op } = JSON.parse(text);
      if (op !== undefined && ops.has(op)) throw new Error(`message ${op} is in the stream twice`);
      if (op !== undefined) ops.add(op);
      positions.set(cursor, entries.push({ cursor, text, type, by, op }));
    },
    nameEnd(cursor) {
      const known = positions.get(cursor);
      if (known !== undefined && known !== entries.length) {
        throw new Error(`the cursor ${cursor} names position ${known} and the end, ${entries.length}`);
      }
      positions.set(cursor, entries.length);
    },
    positionOf(cursor) {
      const position = positions.get(cursor);
      if (position === undefined) throw new Error(`the cursor ${cursor} names no position`);
      return position;
    },
    has: (cursor) => positions.has(cursor),
  };
}

/** A receiver's filter; undefined lets everything through. */
export type Filter = readonly string[] | undefined;

export function passes(filter: Filter, { type }: Pick<LineEntry, "type">): boolean {
  return filter === undefined || (type !== undefined && (type === "WORKER_STATUS" || filter.includes(type)));
}
