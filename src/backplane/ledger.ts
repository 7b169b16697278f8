import type { Key, KeyMismatch, KeyRecord, Maybe, NewMessage, Receivers, Refused } from "./backplane.ts";

/** A key that is kept with messages, and the answer that it stands for, once the cursors are known. */
export interface NewKey extends Key {
  /** Which of the unit's messages the answer names, in order. */
  readonly at: readonly number[];
  readonly receivers: Receivers;
}

/** Messages that enter the stream together, or not at all. */
export interface Unit {
  readonly messages: readonly NewMessage[];
  /**
   * Kept in the same transaction. The last one is that of whoever sent the messages, if `isOwned`: where it is known
   * already, nothing enters. The others are those of publishes that conflation has superseded by these messages.
   */
  readonly keys: readonly NewKey[];
  readonly isOwned: boolean;
  /** The token of the worker on whose behalf it is. */
  readonly worker: string | undefined;
}

/** What became of a unit. */
export type Outcome =
  /** One cursor for each message. */
  | { readonly ok: true; readonly cursors: readonly string[] }
  /** Its own key is known: this is the first answer (a receipt in JSON). */
  | { readonly ok: true; readonly answer: string }
  | KeyMismatch
  | Refused;

/** Where messages get their place in the order, for the intake in front of it. */
export interface Ledger {
  /** Takes units in order; those of one call are one transaction, or as good as one. `done` gets one outcome for each. */
  append(units: readonly Unit[], done: (outcomes: readonly Outcome[]) => void): void;
  findKey(key: string): Maybe<KeyRecord | undefined>;
}
