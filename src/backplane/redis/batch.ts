import type { Operation } from "./operation.ts";

/** A call carries at most this, or one operation if that is larger. */
const LIMIT_MESSAGES = 512;
const LIMIT_BYTES = 1_048_576;

/** An operation that waits for its answer. */
export interface Item {
  readonly operation: Operation;
  readonly bytes: number;
  /** Monotonic. */
  readonly madeAtMs: number;
  isOver: boolean;
}

/** What goes to Redis in one piece. */
export interface Call {
  /** The call's number and the operations, as apply.lua reads them. */
  readonly args: readonly string[];
  readonly items: readonly Item[];
  /** When it was first sent; monotonic. */
  readonly sentAtMs: number;
}

/** How many of those that wait, in order, go in the next call. */
export function batchSize(waiting: readonly Item[]): number {
  let messages = 0;
  let bytes = 0;
  let count = 0;
  for (const { operation, bytes: more } of waiting) {
    messages += operation.messages;
    bytes += more;
    const isTooMuch = count >= LIMIT_MESSAGES || messages > LIMIT_MESSAGES || bytes > LIMIT_BYTES;
    if (count > 0 && (isTooMuch || operation.isAlone === true)) break;
    count += 1;
    if (operation.isAlone === true) break;
  }
  return count;
}

/** @param number 0 for what may be done twice */
export function callOf(items: readonly Item[], number: number, sentAtMs: number): Call {
  const args = [String(number)];
  for (const { operation } of items) {
    for (const arg of operation.args) args.push(arg);
  }
  return { args, items, sentAtMs };
}
