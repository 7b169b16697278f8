import { within } from "../support/deadline.ts";
import type { Random } from "../support/random.ts";
import type { StreamConnection, StreamEvent, StreamTransport } from "../support/stream.ts";
import type { Filter, Line } from "./line.ts";
import { checkRawStretch, type RawStretch } from "./raw-stretch.ts";
import { overRaw } from "./raw-transport.ts";
import { checkStretch, type Stretch } from "./stretch.ts";

/** A message that every receiver gets, and how many of the line lie up to and including it. */
export interface Mark {
  readonly text: string;
  readonly position: number;
}

/** A dashboard that comes and goes, and remembers what each of its connections was told. */
export interface Receiver {
  readonly isSse: boolean;
  isConnected(): boolean;
  /** Connects without waiting. */
  connect(url: string, line: Line): void;
  /** Ends the connection without a word. */
  drop(): void;
  /** Resolves when it is known that what is published now will reach it. */
  joined(): Promise<void>;
  /** Resolves when it has this message, or has ended. */
  reached(text: string): Promise<void>;
  /** Resolves when the connection is over. */
  ended(): Promise<void>;
  /**
   * Checks all connections to this line up to and including the mark, and forgets those that are over.
   * @throws Error that says what is wrong
   */
  check(line: Line, mark: Mark): void;
}

export interface ReceiverOptions {
  readonly filter: Filter;
  readonly random: Random;
  /** Told of a connection that the hub has ended while it was live. In a replay it may: eviction can overtake that. */
  readonly onLost: (why: unknown) => void;
}

/** What both kinds of receivers have in common: one connection at a time, and conditions to wait for. */
function createLink(isLive: () => boolean, onLost: (why: unknown) => void) {
  let connection: StreamConnection | undefined;
  let over: Promise<void> = Promise.resolve();
  const waiting = new Set<() => void>();
  const changed = (): void => {
    for (const look of waiting) look();
  };
  return {
    changed,
    isConnected: () => connection !== undefined,
    ended: () => within(over, "end of a connection"),
    open(opened: StreamConnection): void {
      connection = opened;
      over = opened.ended
        .then(() => {
          if (connection === opened && isLive()) onLost("its connection has ended");
        }, onLost)
        .then(() => {
          if (connection === opened) connection = undefined;
          changed();
        });
    },
    drop(): void {
      const dropped = connection;
      connection = undefined;
      dropped?.drop();
      changed();
    },
    async until(what: string, isSo: () => boolean): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (connection === undefined || isSo()) resolve();
      };
      waiting.add(look);
      look();
      await within(promise, what).finally(() => waiting.delete(look));
    },
  };
}

const typesOf = (filter: Filter): string | undefined => filter?.join(",");

interface KnownCursor {
  readonly cursor: string;
  readonly line: Line;
}

/** A receiver with cursors: over a WebSocket in stream framing, or over SSE. */
export function createCursorReceiver(
  transport: StreamTransport,
  isSse: boolean,
  { filter, random, onLost }: ReceiverOptions,
): Receiver {
  let stretches: Stretch[] = [];
  const eventsOf = (): readonly StreamEvent[] => stretches.at(-1)?.events ?? [];
  const isLive = (): boolean => eventsOf().some(({ kind }) => kind === "live");
  const link = createLink(isLive, (why) => onLost(`${isSse ? "sse" : "stream"} ${filter}: ${why}`));
  /** The first and the last cursor seen, and where they belong. */
  let first: KnownCursor | undefined;
  let last: KnownCursor | undefined;

  const chooseSince = (): Pick<Stretch, "since" | "sinceLine"> => {
    const chance = random.below(20);
    if (chance === 0) return { since: "earliest", sinceLine: undefined };
    if (chance === 1) return { since: "not-a-cursor", sinceLine: undefined };
    // Far back it has most to catch up with, and most can happen meanwhile.
    const known = chance < 5 ? first : last;
    if (chance === 2 || known === undefined) return { since: undefined, sinceLine: undefined };
    return { since: known.cursor, sinceLine: known.line };
  };

  return {
    ...link,
    isSse,
    connect(url, line) {
      const stretch: Stretch = { line, filter, ...chooseSince(), events: [] };
      stretches.push(stretch);
      const take = (event: StreamEvent): void => {
        stretch.events.push(event);
        last = { cursor: event.cursor, line };
        first ??= last;
        link.changed();
      };
      link.open(transport({ url, since: stretch.since, types: typesOf(filter), take }));
    },
    joined: () => link.until("live", isLive),
    reached: (text) =>
      link.until(`message ${text}`, () =>
        eventsOf().some((event) => event.kind === "message" && event.text === text),
      ),
    check(line, mark) {
      // Those to an earlier line have been checked at its end.
      for (const stretch of stretches.filter((one) => one.line === line)) {
        const end = stretch.events.findIndex((event) => event.kind === "message" && event.text === mark.text);
        const events = end === -1 ? stretch.events : stretch.events.slice(0, end + 1);
        const isOpen = link.isConnected() && stretch === stretches.at(-1);
        checkStretch({ ...stretch, events }, isOpen ? mark.position : undefined);
      }
      stretches = link.isConnected() ? stretches.slice(-1) : [];
    },
  };
}

/** A receiver without cursors. */
export function createRawReceiver(nextOp: () => number, { filter, onLost }: ReceiverOptions): Receiver {
  const link = createLink(
    () => true,
    (why) => onLost(`raw ${filter}: ${why}`),
  );
  let stretches: RawStretch[] = [];
  const textsOf = (): readonly string[] => stretches.at(-1)?.texts ?? [];

  return {
    ...link,
    isSse: false,
    connect(url, line) {
      const stretch: RawStretch = { line, filter, texts: [], opAtJoin: undefined };
      stretches.push(stretch);
      const take = (text: string): void => {
        stretch.opAtJoin ??= nextOp();
        stretch.texts.push(text);
        link.changed();
      };
      link.open(overRaw({ url, types: typesOf(filter), take }));
    },
    joined: () => link.until("greeting", () => textsOf().length > 0),
    reached: (text) => link.until(`message ${text}`, () => textsOf().includes(text)),
    check(line, mark) {
      // Those to an earlier line have been checked at its end.
      for (const stretch of stretches.filter((one) => one.line === line)) {
        const end = stretch.texts.indexOf(mark.text);
        const texts = end === -1 ? stretch.texts : stretch.texts.slice(0, end + 1);
        const isOpen = link.isConnected() && stretch === stretches.at(-1);
        checkRawStretch({ ...stretch, texts }, isOpen ? mark.position : undefined);
      }
      stretches = link.isConnected() ? stretches.slice(-1) : [];
    },
  };
}
