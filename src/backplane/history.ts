import type { Config } from "../config/schema.ts";
import type { Runtime } from "../runtime.ts";
import type {
  CommandRecord,
  Entry,
  Fill,
  KeyRecord,
  Located,
  NewMessage,
  Page,
  Refused,
} from "./backplane.ts";
import { createEpochs, locateIn } from "./epochs.ts";
import { openJournal, type Recovered } from "./journal.ts";
import { createKeys, KEYS_FULL } from "./keys.ts";
import { createRing } from "./ring.ts";

/** How often old entries and keys are let go while nothing is published, and a full disk is tried again. */
const HOUSEKEEPING_INTERVAL_MS = 1_000;

type HistoryConfig = Pick<Config, "HISTORY_MESSAGES" | "HISTORY_BYTES" | "HISTORY_TTL_MS" | "HISTORY_FILE">;

export type Appended = { readonly ok: true; readonly entries: readonly Entry[] } | Refused;

/** What a single hub keeps: the stream's order, its newest messages, keys and commands. Everything is synchronous. */
export interface History {
  head(): number;
  cursorAt(offset: number): string;
  locate(since: string): Located;
  read(offset: number, upTo: number, limitMessages: number, limitBytes: number): Page;
  /**
   * Writes messages and the keys that go with them in one transaction.
   * @param keysOf called once the cursors are known, before anything is written
   */
  append(
    messages: readonly Pick<NewMessage, "text" | "type">[],
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

/**
 * The newest entries in memory, and in one SQLite file as well where HISTORY_FILE is set. The file is written before memory
 * changes, so that nothing is ever shown that a restart would not know.
 * @throws {JournalError} when the file cannot be used; its message is for people
 */
export function createHistory(config: HistoryConfig, runtime: Runtime): History {
  const epochId = runtime.randomHex(4);
  const limits = {
    messages: config.HISTORY_MESSAGES,
    bytes: config.HISTORY_BYTES,
    ageMs: config.HISTORY_TTL_MS,
  };
  const [journal, recovered] =
    config.HISTORY_FILE === undefined
      ? [undefined, nothingRecovered(epochId)]
      : openJournal(config.HISTORY_FILE, epochId, limits);
  const epochs = createEpochs(recovered.epochs);
  const firstHeld = recovered.messages[0]?.offset ?? recovered.lastOffset + 1;
  const ring = createRing(limits, firstHeld - 1);
  for (const message of recovered.messages) {
    ring.push({
      ...message,
      cursor: epochs.cursorAt(message.offset),
      byteCount: Buffer.byteLength(message.text),
    });
  }
  ring.expire(runtime.nowMs());
  // Named here so that the closures below do not keep the recovered messages alive for ever.
  const recoveredCommands = recovered.commands;
  const keys = createKeys();
  for (const record of recovered.keys) keys.add(record);
  let trouble: string | undefined;

  /** Runs a write against the file; memory is changed by the caller only when it went well. */
  const write = (run: () => void): Refused | undefined => {
    try {
      run();
      trouble = undefined;
      return undefined;
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
      return { ok: false, code: "storage", detail: `the history file cannot be written: ${trouble}` };
    }
  };

  const stopHousekeeping = runtime.every(HOUSEKEEPING_INTERVAL_MS, () => {
    const nowMs = runtime.nowMs();
    ring.expire(nowMs);
    keys.expire(nowMs);
    if (journal !== undefined) write(() => journal.tidy(ring.firstOffset(), nowMs, trouble !== undefined));
  });

  return {
    head: () => ring.lastOffset(),
    cursorAt: epochs.cursorAt,
    locate(since) {
      ring.expire(runtime.nowMs());
      return locateIn(ring, epochs, since);
    },
    read: ring.read,
    append(messages, keysOf) {
      const atMs = runtime.nowMs();
      const base = ring.lastOffset() + 1;
      const entries: Entry[] = [];
      for (const { text, type } of messages) {
        const offset = base + entries.length;
        const byteCount = Buffer.byteLength(text);
        entries.push({ offset, cursor: epochs.cursorAt(offset), text, type, atMs, byteCount });
      }
      const records = keysOf(entries);
      if (records.length > 0 && !keys.fits(records, atMs)) return KEYS_FULL;
      const refused = journal && write(() => journal.append(entries, records));
      if (refused !== undefined) return refused;
      for (const entry of entries) ring.push(entry);
      for (const record of records) keys.add(record);
      return { ok: true, entries };
    },
    findKey: (key) => keys.find(key, runtime.nowMs()),
    recoveredCommands: () => recoveredCommands,
    acceptCommand(command: CommandRecord, key: KeyRecord | undefined) {
      if (key !== undefined && !keys.fits([key], runtime.nowMs())) return KEYS_FULL;
      const refused = journal && write(() => journal.saveCommand(command, key));
      if (refused !== undefined) return refused;
      if (key !== undefined) keys.add(key);
      return { ok: true };
    },
    saveCommand(command) {
      if (journal !== undefined) write(() => journal.saveCommand(command, undefined));
    },
    forgetCommand(id) {
      if (journal !== undefined) write(() => journal.forgetCommand(id));
    },
    fill: () => ({ ...ring.fill(), keys: keys.count() }),
    trouble: () => trouble,
    close() {
      stopHousekeeping();
      journal?.close();
    },
  };
}

function nothingRecovered(epochId: string): Recovered {
  return { epochs: [{ id: epochId, firstOffset: 1 }], lastOffset: 0, messages: [], keys: [], commands: [] };
}
