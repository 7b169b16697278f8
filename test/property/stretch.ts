import type { StreamEvent } from "../support/stream.ts";
import { type Filter, type Line, passes } from "./line.ts";

/** What one connection of stream framing or SSE was told, from its hello to its end or to now. */
export interface Stretch {
  readonly line: Line;
  readonly filter: Filter;
  /** What it asked for, and the line in which that was a cursor. */
  readonly since: string | undefined;
  readonly sinceLine: Line | undefined;
  readonly events: StreamEvent[];
}

/** Where a reader stands that goes through a stretch. */
interface Reader {
  /** Everything before this that passes its filter, it has. */
  position: number;
  isResumed: boolean;
  isLive: boolean;
}

/**
 * Holds a stretch against the line: it must be a piece of it without gap, double or disorder, and say truly where it
 * starts, where the seam is, and how far the stream is.
 * @param reach the position that a connection which is still open must have reached
 * @throws Error that says what is wrong
 */
export function checkStretch(stretch: Stretch, reach: number | undefined): void {
  const reader: Reader = { position: 0, isResumed: false, isLive: false };
  stretch.events.forEach((event, at) => {
    try {
      if ((event.kind === "hello") !== (at === 0)) throw new Error(`${event.kind} as event ${at}`);
      step(stretch, reader, event);
    } catch (error) {
      const around = stretch.events.slice(Math.max(0, at - 3), at + 3);
      throw new Error(`${String(error)}; around event ${at}: ${JSON.stringify(around)}`);
    }
  });
  if (reach === undefined) return;
  if (!reader.isLive) throw new Error("it never became live");
  skipTo(stretch, reader, reach);
}

function step(stretch: Stretch, reader: Reader, event: StreamEvent): void {
  const { line } = stretch;
  switch (event.kind) {
    case "hello":
      checkHello(stretch, event);
      reader.position = line.positionOf(event.cursor);
      reader.isResumed = event.resumed;
      return;
    case "message": {
      if (!reader.isLive && !reader.isResumed) throw new Error("a replay although it was not resumed");
      const next = nextFor(stretch, reader.position);
      const entry = line.entries[next];
      if (entry === undefined) throw new Error("a message past the end of the stream");
      if (entry.cursor !== event.cursor) throw new Error(`not ${entry.cursor} ${entry.text}, which was next`);
      if (entry.text !== event.text) throw new Error(`not the text of ${entry.cursor}, ${entry.text}`);
      reader.position = next + 1;
      return;
    }
    case "live":
      if (reader.isLive) throw new Error("live a second time");
      reader.isLive = true;
      checkReach(stretch, line.positionOf(event.cursor));
      skipTo(stretch, reader, line.positionOf(event.cursor));
      return;
    case "position":
      skipTo(stretch, reader, line.positionOf(event.cursor));
  }
}

/** Of all that lies before `position`, nothing may pass the filter that has not come. */
function skipTo(stretch: Stretch, reader: Reader, position: number): void {
  if (position < reader.position) throw new Error(`back from ${reader.position} to ${position}`);
  const missed = nextFor(stretch, reader.position);
  if (missed < position) {
    throw new Error(`missed ${JSON.stringify(stretch.line.entries[missed])} before position ${position}`);
  }
  reader.position = position;
}

/** The index of the next entry that passes; past the end where there is none. */
function nextFor({ line, filter }: Stretch, from: number): number {
  let next = from;
  for (let entry = line.entries[next]; entry !== undefined && !passes(filter, entry); ) {
    next += 1;
    entry = line.entries[next];
  }
  return next;
}

function checkHello(stretch: Stretch, hello: Extract<StreamEvent, { kind: "hello" }>): void {
  const { since, sinceLine, line } = stretch;
  const expect = (isRight: boolean): void => {
    if (!isRight) throw new Error(`hello is wrong for since=${since}: ${JSON.stringify(hello)}`);
  };
  const position = line.positionOf(hello.cursor);
  if (since === undefined) {
    expect(!hello.resumed && hello.reason === "none");
  } else if (since === "earliest") {
    expect(hello.resumed);
  } else if (sinceLine !== line) {
    expect(!hello.resumed && hello.reason === "unknown");
  } else if (hello.resumed) {
    expect(position === line.positionOf(since));
  } else {
    // Refused, and rightly: since then more has been published than is held.
    expect(hello.reason === "evicted" && position - line.positionOf(since) > line.historyMessages);
  }
}

/** All that is held is replayed to `earliest`: either the whole line, or at least as much as may be held. */
function checkReach({ line, since, events }: Stretch, live: number): void {
  const [hello] = events;
  if (since !== "earliest" || hello === undefined) return;
  const start = line.positionOf(hello.cursor);
  if (start > 0 && live - start < line.historyMessages) {
    throw new Error(`earliest started at ${start}, only ${live - start} before the seam`);
  }
}
