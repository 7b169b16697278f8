/** Stands between the head of a batch and its texts. JSON, which all of them are, cannot hold it as it is. */
const SEPARATOR = "\0";

/** What is said to another thread, with the texts that go with it: JSON, forwarded byte for byte. */
export interface Said<Op> {
  readonly op: Op;
  readonly texts: readonly string[];
}

/** Collects what is said to another thread. */
export interface Outbox<Op> {
  /** Posted when the present step is over. */
  say(op: Op, texts?: readonly string[]): void;
  /** Posted when the present turn of the event loop is over, or with what is said meanwhile: what comes in lots is one batch. */
  sayLater(op: Op, texts: readonly string[]): void;
  /**
   * The same in a batch of its own. A text that has been received keeps the whole batch in memory: so what is held for long
   * must not travel together with what is large and soon forgotten.
   */
  sayAlone(op: Op, texts: readonly string[]): void;
  /** Posts at once what has been said. */
  flush(): void;
}

/**
 * One string is much the cheapest thing to post: no copy is made of it, and a batch of messages costs little more than one
 * of them. Measured with 200 bytes for each message: 2.5 µs for one in a string and 1.2 µs in a batch of 20, on both threads
 * together; as objects 5.8 µs and 2.3 µs.
 * @param endOfStep calls back when the present step is over; @param endOfTurn when the present turn of the event loop is
 */
export function createOutbox<Op>(
  post: (batch: string) => void,
  endOfStep: (run: () => void) => void,
  endOfTurn: (run: () => void) => void,
): Outbox<Op> {
  let ops: Op[] = [];
  let texts: string[] = [];

  const flush = (): void => {
    if (ops.length === 0) return;
    const batch = pack(ops, texts);
    ops = [];
    texts = [];
    post(batch);
  };
  const sayBy = (schedule: (run: () => void) => void): Outbox<Op>["sayLater"] => {
    let isScheduled = false;
    const scheduled = (): void => {
      isScheduled = false;
      flush();
    };
    return (op, added) => {
      ops.push(op);
      for (const text of added) texts.push(text);
      if (isScheduled) return;
      isScheduled = true;
      schedule(scheduled);
    };
  };
  const sayNow = sayBy(endOfStep);
  return {
    say: (op, added = []) => sayNow(op, added),
    sayLater: sayBy(endOfTurn),
    sayAlone(op, added) {
      flush();
      ops.push(op);
      texts = [...added];
      flush();
    },
    flush,
  };
}

export function pack(ops: readonly unknown[], texts: readonly string[]): string {
  const head = JSON.stringify(ops);
  return texts.length === 0 ? head : head + SEPARATOR + texts.join(SEPARATOR);
}

/** Texts in the order in which they were said; each op takes its own. */
export type Texts = () => string;

export function unpack<Op>(batch: string): { readonly ops: readonly Op[]; readonly texts: Texts } {
  const headEnd = batch.indexOf(SEPARATOR);
  const ops: readonly Op[] = JSON.parse(headEnd === -1 ? batch : batch.slice(0, headEnd));
  const all = headEnd === -1 ? [] : batch.slice(headEnd + 1).split(SEPARATOR);
  let taken = 0;
  return { ops, texts: () => all[taken++] as string };
}
