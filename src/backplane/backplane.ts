/** One message of the stream, as it is held and sent. */
export interface Entry {
  /** Consecutive numbers over all epochs; the position "after this entry". */
  readonly offset: number;
  readonly cursor: string;
  /** The message byte for byte, and its length in UTF-8. */
  readonly text: string;
  readonly byteCount: number;
  /** Its top-level `type`, if that is a string. */
  readonly type: string | undefined;
  /** Wall clock at which it entered the stream. */
  readonly atMs: number;
}

/** A message that is to enter the stream. */
export type NewMessage = Pick<Entry, "text" | "type">;

/** What an idempotency key stands for: what was asked, and the answer that a repeat gets. */
export interface KeyRecord {
  readonly key: string;
  /** Digest of the request, to tell a repeat from another request under the same key. */
  readonly digest: string;
  readonly answer: string;
  readonly atMs: number;
}

export type CommandState = "queued" | "sent" | "acknowledged" | "expired";

/** A message for the worker. */
export interface CommandRecord {
  readonly id: string;
  readonly text: string;
  readonly createdMs: number;
  readonly state: CommandState;
  /** How often it has been sent. */
  readonly attempts: number;
}

/** Why something was not taken. Nothing of it was kept. */
export interface Refused {
  readonly ok: false;
  readonly code: "storage" | "keys_full";
  readonly detail: string;
}

export type Appended = { readonly ok: true; readonly entries: readonly Entry[] } | Refused;

/** Where a cursor stands, or why nothing can be resumed from it (PROTOCOL.md, section 3). */
export type Located =
  | { readonly ok: true; readonly offset: number }
  | { readonly ok: false; readonly reason: "evicted" | "unknown" };

/** A piece of history, in order. `evicted` means that what follows the position is no longer held whole. */
export type Page =
  | { readonly evicted: true }
  | { readonly evicted: false; readonly entries: readonly Entry[] };

export interface Fill {
  readonly messages: number;
  readonly bytes: number;
  readonly keys: number;
}

/**
 * What the hub needs of the thing that orders and holds its messages. Everything is synchronous, so that history, keys
 * and commands are written in the very turn in which a message is fanned out.
 */
export interface Backplane {
  /** The offset of the newest entry. */
  head(): number;
  /** The cursor that names the position after the entry at `offset`. */
  cursorAt(offset: number): string;
  locate(since: string): Located;
  /** At most `limitBytes` of entries after `offset` and up to `upTo`; at least one if there is one. */
  read(offset: number, upTo: number, limitMessages: number, limitBytes: number): Page;
  /**
   * Writes messages and the keys that go with them in one transaction.
   * @param keysOf called once the cursors are known, before anything is written
   */
  append(
    messages: readonly NewMessage[],
    keysOf: (entries: readonly Entry[]) => readonly KeyRecord[],
  ): Appended;
  findKey(key: string): KeyRecord | undefined;
  /** The commands that a former run left unfinished or finished lately, oldest first. */
  recoveredCommands(): readonly CommandRecord[];
  /** Writes a new command and its key, if it came with one. */
  acceptCommand(command: CommandRecord, key: KeyRecord | undefined): { readonly ok: true } | Refused;
  /** Writes a change of a command. A change that cannot be written costs at most a redelivery, so it is not refused. */
  saveCommand(command: CommandRecord): void;
  forgetCommand(id: string): void;
  fill(): Fill;
  /** What keeps it from writing, or undefined when all is well. */
  trouble(): string | undefined;
  close(): void;
}
