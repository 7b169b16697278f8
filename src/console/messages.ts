import { createFifo, type Fifo } from "./fifo.ts";

/** One line of the tail. */
export interface Entry {
  /** Counts what this page has received. */
  readonly number: number;
  /** `note`: what this page itself says about its connection. Notes pass every filter. */
  readonly kind: "message" | "note";
  /** The cursor of a message, the tone of a note. */
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly atMs: number;
  /** Did it come from the hub's history? Then it is older than `atMs`. */
  readonly isReplayed: boolean;
}

export interface Filter {
  /** Only these types; all where it is empty. */
  readonly types: ReadonlySet<string>;
  /** Only messages that hold this, in capitals or not. */
  readonly search: string;
}

/**
 * What the page holds of the stream, and what of it passes the filter. While it is paused, the view stands still and what
 * comes waits aside; both are bounded, and the oldest go first.
 */
export interface Messages {
  readonly view: Fifo<Entry>;
  /** How many entries have left the front of the view since it was last made anew. */
  readonly evicted: number;
  /** Changes when the view is made anew. */
  readonly generation: number;
  readonly held: number;
  readonly waiting: number;
  readonly isPaused: boolean;
  /** How many messages of each type are held. */
  readonly types: ReadonlyMap<string, number>;
  add(entry: Omit<Entry, "number">): void;
  filter(filter: Filter): void;
  pause(): void;
  /** Shows what has come meanwhile. @returns how many messages went by and are no longer held */
  resume(): number;
  clear(): void;
}

export const ENTRY_LIMIT = 10_000;
/** A few huge messages must not take the browser's memory: this is some 100 MB at two bytes a character. */
export const CHARS_LIMIT = 50_000_000;

export function createMessages(entryLimit = ENTRY_LIMIT, charsLimit = CHARS_LIMIT): Messages {
  const held = createFifo<Entry>();
  const waiting = createFifo<Entry>();
  const view = createFifo<Entry>();
  const types = new Map<string, number>();
  let number = 0;
  let heldChars = 0;
  let waitingChars = 0;
  let missed = 0;
  let evicted = 0;
  let generation = 0;
  let isPaused = false;
  let passes: (entry: Entry) => boolean = () => true;

  const countType = (entry: Entry, by: number): void => {
    if (entry.kind === "note") return;
    const now = (types.get(entry.type) ?? 0) + by;
    if (now === 0) types.delete(entry.type);
    else types.set(entry.type, now);
  };
  const isOver = (fifo: Fifo<Entry>, chars: number): boolean =>
    fifo.length > entryLimit || (chars > charsLimit && fifo.length > 1);

  const hold = (entry: Entry): void => {
    held.push(entry);
    heldChars += entry.text.length;
    countType(entry, 1);
    if (passes(entry)) view.push(entry);
    while (isOver(held, heldChars)) {
      const oldest = held.shift();
      if (oldest === undefined) break;
      heldChars -= oldest.text.length;
      countType(oldest, -1);
      if (view.at(0)?.number === oldest.number) {
        view.shift();
        evicted += 1;
      }
    }
  };
  const setAside = (entry: Entry): void => {
    waiting.push(entry);
    waitingChars += entry.text.length;
    while (isOver(waiting, waitingChars)) {
      waitingChars -= waiting.shift()?.text.length ?? 0;
      missed += 1;
    }
  };
  const renew = (): void => {
    view.clear();
    evicted = 0;
    generation += 1;
  };

  return {
    view,
    types,
    get evicted() {
      return evicted;
    },
    get generation() {
      return generation;
    },
    get held() {
      return held.length;
    },
    get waiting() {
      return waiting.length + missed;
    },
    get isPaused() {
      return isPaused;
    },
    add(entry) {
      number += 1;
      if (isPaused) setAside({ ...entry, number });
      else hold({ ...entry, number });
    },
    filter(filter) {
      passes = predicate(filter);
      renew();
      for (let i = 0; i < held.length; i += 1) {
        const entry = held.at(i);
        if (entry !== undefined && passes(entry)) view.push(entry);
      }
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      const lost = missed;
      missed = 0;
      for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) hold(entry);
      waitingChars = 0;
      return lost;
    },
    clear() {
      for (const fifo of [held, waiting]) fifo.clear();
      types.clear();
      heldChars = 0;
      waitingChars = 0;
      missed = 0;
      renew();
    },
  };
}

function predicate({ types, search }: Filter): (entry: Entry) => boolean {
  // A pattern rather than toLowerCase, which would copy every message.
  const pattern = search === "" ? undefined : new RegExp(search.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
  return ({ kind, type, text }) =>
    kind === "note" ||
    ((types.size === 0 || types.has(type)) && (pattern === undefined || pattern.test(text)));
}
