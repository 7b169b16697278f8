import type { Outbox } from "../wire/batch.ts";
import type { Question, ToCore } from "../wire/to-core.ts";

/** Questions to the core that have not been answered yet. */
export interface Questions {
  /**
   * @param done called with the answer
   * @returns the number of the question; undefined where it was refused
   * @param failed called in its place when there will be none; at once where too much waits already
   */
  ask(
    question: Question,
    texts: readonly string[],
    done: (value: unknown) => void,
    failed: (why: string) => void,
  ): number | undefined;
  /** The same, as a promise. */
  promise<Value>(question: Question, texts?: readonly string[]): Promise<Value>;
  answered(id: number, value: unknown): void;
  failed(id: number, why: string): void;
  /** What waits, with its bytes of text. */
  waiting(): { readonly count: number; readonly bytes: number };
}

/** Past either, a question is refused. Conflation may hold back the answers to many, and workers are held (backplane/holds.ts) long before. */
export const QUESTIONS_LIMIT = 500_000;
export const QUESTIONS_LIMIT_BYTES = 268_435_456;

interface Waiting {
  readonly byteCount: number;
  readonly done: (value: unknown) => void;
  readonly failed: (why: string) => void;
}

export function createQuestions(outbox: Pick<Outbox<ToCore>, "say" | "sayLater">): Questions {
  const open = new Map<number, Waiting>();
  let bytes = 0;
  let lastId = 0;

  const settle = (id: number): Waiting | undefined => {
    const waiting = open.get(id);
    if (waiting === undefined) return undefined;
    open.delete(id);
    bytes -= waiting.byteCount;
    return waiting;
  };
  const ask: Questions["ask"] = (question, texts, done, failed) => {
    const byteCount = texts.reduce((sum, text) => sum + text.length, 0);
    // One that is larger than all of the room gets in when nothing else is there.
    const isFull =
      open.size >= QUESTIONS_LIMIT || (open.size > 0 && bytes + byteCount > QUESTIONS_LIMIT_BYTES);
    if (isFull) {
      failed("too much waits for the hub's core already");
      return undefined;
    }
    const id = ++lastId;
    open.set(id, { byteCount, done, failed });
    bytes += byteCount;
    // Messages come in lots, and it pays to pass them on in lots.
    if (question.op === "append") outbox.sayLater({ ...question, id }, texts);
    else outbox.say({ ...question, id }, texts);
    return id;
  };

  return {
    ask,
    promise: <Value>(question: Question, texts: readonly string[] = []) =>
      new Promise<Value>((resolve, reject) => {
        ask(
          question,
          texts,
          (value) => resolve(value as Value),
          (why) => reject(new Error(why)),
        );
      }),
    answered: (id, value) => settle(id)?.done(value),
    failed: (id, why) => settle(id)?.failed(why),
    waiting: () => ({ count: open.size, bytes }),
  };
}
