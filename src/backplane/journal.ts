import { Database, SQLiteError } from "bun:sqlite";
import type { CommandRecord, Entry, KeyRecord } from "./backplane.ts";
import { EPOCHS_LIMIT, type Epoch } from "./epochs.ts";
import { KEY_TTL_MS } from "./keys.ts";

/** "VHub" in ASCII: tells a history file from any other SQLite file. */
const APPLICATION_ID = 0x56487562;
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE epochs (ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, first_offset INTEGER NOT NULL) STRICT;
  CREATE TABLE messages (offset INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, type TEXT, text TEXT NOT NULL) STRICT;
  CREATE TABLE keys (key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
  CREATE INDEX keys_by_age ON keys (at_ms);
  CREATE TABLE commands (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, created_ms INTEGER NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE health (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
`;

/** How much of the history is read back at a start. */
export interface HistoryLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** The history file cannot be used. The message is one line for people: which file, why, how to repair it. */
export class JournalError extends Error {}

/** What a former run left behind. */
export interface Recovered {
  /** Oldest first, the one of this run last. */
  readonly epochs: readonly Epoch[];
  readonly lastOffset: number;
  readonly messages: readonly Pick<Entry, "offset" | "text" | "type" | "atMs">[];
  readonly keys: readonly KeyRecord[];
  readonly commands: readonly CommandRecord[];
}

/** The SQLite file behind the history (HISTORY_FILE). Its functions throw SQLite's error, and then nothing was written. */
export interface Journal {
  append(entries: readonly Entry[], keys: readonly KeyRecord[]): void;
  saveCommand(command: CommandRecord, key: KeyRecord | undefined): void;
  forgetCommand(id: string): void;
  /**
   * Deletes what is evicted or expired.
   * @param probe write something in any case, to learn whether there is room again
   */
  tidy(firstOffset: number, nowMs: number, probe: boolean): void;
  close(): void;
}

/**
 * Opens the file, locks it, and begins the epoch `epochId` in it.
 * @throws {JournalError}
 */
export function openJournal(file: string, epochId: string, limits: HistoryLimits): [Journal, Recovered] {
  let db: Database | undefined;
  try {
    db = new Database(file, { create: true, strict: true });
    prepare(db);
    const recovered = recover(db, epochId, limits);
    return [journalOn(db, recovered.lastOffset), recovered];
  } catch (error) {
    db?.close();
    throw new JournalError(`HISTORY_FILE ${file} ${explain(error)}`);
  }
}

function prepare(db: Database): void {
  // Exclusive from the first access on: the lock is the file system's and ends with the process, however that ends.
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  const applicationId = pragma(db, "application_id");
  const tables = db.query<{ n: number }, []>("SELECT count(*) AS n FROM sqlite_master").get()?.n ?? 0;
  if (tables > 0 && applicationId !== APPLICATION_ID) {
    throw new JournalError("is a database of another program: name another file");
  }
  const version = pragma(db, "user_version");
  if (tables > 0 && version !== SCHEMA_VERSION) {
    throw new JournalError(
      `has format ${version}, this hub knows ${SCHEMA_VERSION}: use the hub that wrote it, or another file`,
    );
  }
  db.run("PRAGMA journal_mode = WAL");
  // What is written survives the end of the process; only a power loss can take the newest (README, durability).
  db.run("PRAGMA synchronous = NORMAL");
  if (tables > 0) return;
  db.transaction(() => {
    db.run(SCHEMA);
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  }).immediate();
}

function pragma(db: Database, name: string): number {
  const row = db.query<Record<string, number>, []>(`PRAGMA ${name}`).get();
  return row?.[name] ?? 0;
}

function recover(db: Database, epochId: string, limits: HistoryLimits): Recovered {
  const rows = <Row>(sql: string, ...values: number[]): Row[] => db.query<Row, number[]>(sql).all(...values);
  // The newest row is never deleted, so its offset says how far the former epochs really wrote.
  const newest =
    rows<{ offset: number }>("SELECT offset FROM messages ORDER BY offset DESC LIMIT 1")[0]?.offset ?? 0;
  db.transaction(() => {
    db.query("INSERT INTO epochs (id, first_offset) VALUES (?, ?)").run(epochId, newest + 1);
    db.query("DELETE FROM epochs WHERE ordinal <= (SELECT max(ordinal) FROM epochs) - ?").run(EPOCHS_LIMIT);
  }).immediate();
  const epochs = rows<Epoch>("SELECT id, first_offset AS firstOffset FROM epochs ORDER BY ordinal");
  return {
    epochs,
    lastOffset: newest,
    messages: newestMessages(
      db,
      Math.max(newest - limits.messages + 1, epochs[0]?.firstOffset ?? 0),
      limits.bytes,
    ),
    keys: rows<KeyRecord>("SELECT key, digest, answer, at_ms AS atMs FROM keys ORDER BY at_ms"),
    commands: rows<CommandRecord>(
      "SELECT id, text, created_ms AS createdMs, state, attempts FROM commands ORDER BY ordinal",
    ),
  };
}

/** Reads from the newest back, so that a file that holds more than the limits costs no more memory than they allow. */
function newestMessages(db: Database, fromOffset: number, limitBytes: number): Recovered["messages"] {
  const query = db.query<{ offset: number; atMs: number; type: string | null; text: string }, [number]>(
    "SELECT offset, at_ms AS atMs, type, text FROM messages WHERE offset >= ? ORDER BY offset DESC",
  );
  const messages: Pick<Entry, "offset" | "text" | "type" | "atMs">[] = [];
  let bytes = 0;
  for (const row of query.iterate(fromOffset)) {
    bytes += Buffer.byteLength(row.text);
    if (bytes > limitBytes && messages.length > 0) break;
    messages.push({ ...row, type: row.type ?? undefined });
  }
  return messages.reverse();
}

function journalOn(db: Database, lastOffset: number): Journal {
  const insertMessage = db.prepare("INSERT INTO messages (offset, at_ms, type, text) VALUES (?, ?, ?, ?)");
  const insertKey = db.prepare(
    "INSERT OR REPLACE INTO keys (key, digest, answer, at_ms) VALUES (?, ?, ?, ?)",
  );
  const saveCommand = db.prepare(
    `INSERT INTO commands (id, text, created_ms, state, attempts) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts`,
  );
  const forgetCommand = db.prepare("DELETE FROM commands WHERE id = ?");
  const deleteMessages = db.prepare("DELETE FROM messages WHERE offset < ?");
  const deleteKeys = db.prepare("DELETE FROM keys WHERE at_ms < ?");
  const probeWrite = db.prepare("INSERT OR REPLACE INTO health (id, at_ms) VALUES (1, ?)");
  // Unknown at first: the file may hold more than was read back.
  let oldestRow = 0;
  let newestRow = lastOffset;

  const addMessage = ({ offset, atMs, type, text }: Entry): void => {
    insertMessage.run(offset, atMs, type ?? null, text);
  };
  const addKey = ({ key, digest, answer, atMs }: KeyRecord): void => {
    insertKey.run(key, digest, answer, atMs);
  };
  const addCommand = ({ id, text, createdMs, state, attempts }: CommandRecord): void => {
    saveCommand.run(id, text, createdMs, state, attempts);
  };
  const appendAll = db.transaction((entries: readonly Entry[], keys: readonly KeyRecord[]) => {
    for (const entry of entries) addMessage(entry);
    for (const key of keys) addKey(key);
  });
  const addCommandAndKey = db.transaction((command: CommandRecord, key: KeyRecord) => {
    addCommand(command);
    addKey(key);
  });

  return {
    append(entries, keys) {
      const [only] = entries;
      // One statement is a transaction of its own, at half the cost.
      if (entries.length === 1 && keys.length === 0) addMessage(only as Entry);
      else appendAll.immediate(entries, keys);
      newestRow = entries.at(-1)?.offset ?? newestRow;
    },
    saveCommand(command, key) {
      if (key === undefined) addCommand(command);
      else addCommandAndKey.immediate(command, key);
    },
    forgetCommand: (id) => void forgetCommand.run(id),
    tidy(firstOffset, nowMs, probe) {
      const keepFrom = Math.min(firstOffset, newestRow);
      if (keepFrom > oldestRow) {
        deleteMessages.run(keepFrom);
        oldestRow = keepFrom;
      }
      deleteKeys.run(nowMs - KEY_TTL_MS);
      if (probe) probeWrite.run(nowMs);
    },
    close() {
      try {
        // Folds the write-ahead log into the file, so that a clean stop leaves one file.
        db.run("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // The disk is full: the log stays beside the file, and the next start reads it.
      }
      // With its prepared statements, which would otherwise hold the lock until they are collected.
      db.close(true);
    },
  };
}

function explain(error: unknown): string {
  if (error instanceof JournalError) return error.message;
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  if (code.startsWith("SQLITE_BUSY"))
    return "is in use by another hub: stop that one, or give each hub a file of its own";
  if (code === "SQLITE_NOTADB") return "is no SQLite file: name another file";
  if (code.startsWith("SQLITE_CORRUPT"))
    return "is damaged: restore it from a backup, or move it away to start anew";
  // A file that is open for reading only cannot be locked for writing.
  if (code.startsWith("SQLITE_READONLY") || code === "SQLITE_PERM" || code === "SQLITE_IOERR_LOCK") {
    return "cannot be written: let the hub's user write the file and its folder";
  }
  if (code.startsWith("SQLITE_CANTOPEN")) {
    return "cannot be opened: name a file in a folder that exists and that the hub's user may write";
  }
  if (code === "SQLITE_FULL") return "does not fit: the disk is full";
  return `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}
