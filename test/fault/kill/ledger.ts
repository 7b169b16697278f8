/** Who sent a message, and as the how-manieth: together its name, which no two messages share. */
export interface Origin {
  readonly from: string;
  readonly n: number;
}

/** What was published, what was acknowledged, and what each cursor was seen to mean. Throws at the first contradiction. */
export interface Ledger {
  /** To be told before a message is sent for the first time. */
  offered(name: string, text: string): void;
  /** The hub has answered that the message stands at this cursor. */
  acknowledged(name: string, cursor: string): void;
  /** A client was sent this text under this cursor. */
  seen(cursor: string, text: string): void;
  /** Resolves when so many more messages are acknowledged. */
  untilAcknowledged(count: number): Promise<void>;
  /** The texts by name, the cursors of the acknowledged by name, and the texts by cursor. */
  readonly texts: ReadonlyMap<string, string>;
  readonly receipts: ReadonlyMap<string, string>;
  readonly meanings: ReadonlyMap<string, string>;
}

export function nameOf({ from, n }: Origin): string {
  return `${from}/${n}`;
}

export function createLedger(): Ledger {
  const texts = new Map<string, string>();
  const receipts = new Map<string, string>();
  const meanings = new Map<string, string>();
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  return {
    offered(name, text) {
      if (texts.has(name)) throw new Error(`the test offered ${name} twice`);
      texts.set(name, text);
    },
    acknowledged(name, cursor) {
      const earlier = receipts.get(name);
      if (earlier === cursor) return;
      if (earlier !== undefined)
        throw new Error(`${name} was acknowledged at ${earlier}, and later at ${cursor}`);
      receipts.set(name, cursor);
      for (const { count, resolve } of waiting) if (receipts.size >= count) resolve();
      waiting = waiting.filter(({ count }) => receipts.size < count);
    },
    seen(cursor, text) {
      const earlier = meanings.get(cursor);
      if (earlier === undefined) meanings.set(cursor, text);
      else if (earlier !== text) {
        throw new Error(`the cursor ${cursor} meant ${brief(earlier)}, and later ${brief(text)}`);
      }
    },
    untilAcknowledged(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (count === 0) resolve();
      else waiting.push({ count: receipts.size + count, resolve });
      return promise;
    },
    texts,
    receipts,
    meanings,
  };
}

/** A text for a report. */
export function brief(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}… (${text.length} characters)` : text;
}
