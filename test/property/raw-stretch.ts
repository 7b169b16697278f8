import { type Filter, type Line, type LineEntry, passes } from "./line.ts";

/** What one raw connection was sent, from the status that greets it to its end or to now. */
export interface RawStretch {
  readonly line: Line;
  readonly filter: Filter;
  /** The first text is the greeting, which is no message of the stream. */
  readonly texts: string[];
  /** When the greeting came, messages with a lower number had been asked to be published; those from here on had not. */
  opAtJoin: number | undefined;
}

/**
 * Holds a raw connection's texts against the line. They carry no cursor, so the place where they start is looked for; but
 * whatever was published after the greeting must be among them.
 * @param reach the position that a connection which is still open must have reached
 * @throws Error that says what is wrong
 */
export function checkRawStretch(stretch: RawStretch, reach: number | undefined): void {
  const [greeting, ...texts] = stretch.texts;
  if (greeting === undefined) return;
  if (JSON.parse(greeting).type !== "WORKER_STATUS") throw new Error(`greeted with ${greeting}`);
  const expected = stretch.line.entries.filter((entry) => passes(stretch.filter, entry));
  const owed = firstOwed(expected, stretch.opAtJoin ?? 0);
  const starts = startsOf(expected, texts);
  const reached = reach === undefined ? undefined : lengthBefore(stretch, reach);
  const fits = starts.some(
    (start) => start <= owed && (reached === undefined || start + texts.length >= reached),
  );
  if (fits) return;
  const around = { got: texts.slice(0, 5), of: texts.length, starts, owed, reached };
  throw new Error(`no piece of the stream from the join on: ${JSON.stringify(around)}`);
}

/** The index of the first message that was asked to be published when the greeting had come. */
function firstOwed(expected: readonly LineEntry[], opAtJoin: number): number {
  const owed = expected.findIndex(({ op }) => op !== undefined && op >= opAtJoin);
  return owed === -1 ? expected.length : owed;
}

/** Where in the line this sequence of texts stands. Status texts repeat, so there may be several places. */
function startsOf(expected: readonly LineEntry[], texts: readonly string[]): number[] {
  const starts: number[] = [];
  for (let start = 0; start + texts.length <= expected.length; start++) {
    if (texts.every((text, at) => expected[start + at]?.text === text)) starts.push(start);
  }
  return starts;
}

function lengthBefore({ line, filter }: RawStretch, position: number): number {
  return line.entries.slice(0, position).filter((entry) => passes(filter, entry)).length;
}
