import type { Line } from "./line.ts";
import { checksumOf } from "./line.ts";
import { CONFLATED, readIdentity } from "./messages.ts";

/** What publishers were promised: each acknowledged message stands at its cursor, and the witness sees it there. */
export interface Receipts {
  /** A receipt or an ack has named this cursor. */
  promise(cursor: string, text: string): void;
  /** Compares with what the witness has seen by now. */
  check(): void;
  /** How many promises have been kept. */
  kept(): number;
  /** Resolves when each promise has been kept, or was reported as broken. */
  settled(): Promise<void>;
  /** The witness was told that it missed something: what it has not seen by now it need not see. */
  forgive(): void;
}

interface Promised {
  readonly text: string;
  readonly atMs: number;
}

/** How long a message may be under way. It measures nothing: what takes longer is lost. */
export const SEEN_LIMIT_MS = 60_000;
const CHECK_INTERVAL_MS = 100;

export function createReceipts(line: Line, fault: (what: string) => void): Receipts {
  let open: { readonly cursor: string; readonly promised: Promised }[] = [];
  let kept = 0;

  const compare = (cursor: string, position: number, { text }: Promised): void => {
    const entry = line.entry(position - 1);
    if (entry === undefined || entry.checksum === checksumOf(text)) return;
    const identity = readIdentity(text);
    // Superseded: the receipt has the cursor of the message that came in its place.
    if (identity?.type === CONFLATED && entry.type === CONFLATED) return;
    fault(`the receipt of ${text.slice(0, 120)} names ${cursor}, where another message stands`);
  };

  const check = (): void => {
    const nowMs = performance.now();
    open = open.filter(({ cursor, promised }) => {
      const position = line.positionOf(cursor);
      if (position === undefined && nowMs - promised.atMs < SEEN_LIMIT_MS) return true;
      if (position === undefined)
        fault(`the witness never saw ${cursor}, acknowledged: ${promised.text.slice(0, 120)}`);
      else {
        compare(cursor, position, promised);
        kept += 1;
      }
      return false;
    });
  };

  return {
    promise: (cursor, text) => void open.push({ cursor, promised: { text, atMs: performance.now() } }),
    check,
    kept: () => kept,
    async settled() {
      for (check(); open.length > 0; check()) await Bun.sleep(CHECK_INTERVAL_MS);
    },
    forgive() {
      open = [];
    },
  };
}
