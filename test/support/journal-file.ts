import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyRecord } from "../../src/backplane/backplane.ts";
import { createHistory, type History } from "../../src/backplane/history.ts";
import { createFakeRuntime, type FakeRuntime } from "./fake-runtime.ts";

export const LIMITS = { HISTORY_MESSAGES: 1_000, HISTORY_BYTES: 1_000_000, HISTORY_TTL_MS: 3_600_000 };

/** The path of a history file that is not there yet, in a folder of its own. */
export function createFolder(): { readonly file: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "vectra-journal-"));
  return {
    file: join(folder, "history.sqlite"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** Runs statements on a file that no backplane has open; returns the rows of the last one. */
export function sql(file: string, ...statements: readonly string[]): unknown[] {
  const db = new Database(file);
  try {
    return statements.map((statement) => db.query(statement).all()).at(-1) ?? [];
  } finally {
    db.close();
  }
}

/** A history file, and the backplanes that run on it one after the other. */
export interface JournalBench extends Disposable {
  readonly file: string;
  /** Closes the one that runs and opens the next: a restart, at which the clock goes on. */
  restart(limits?: Partial<typeof LIMITS>): History;
  /** That of the present run. */
  runtime(): FakeRuntime;
  /** Closes the one that runs and changes the file, as a power loss or an operator would. */
  sql(...statements: readonly string[]): unknown[];
}

export function createJournalBench(): JournalBench {
  const folder = createFolder();
  const { file } = folder;
  let runtime = createFakeRuntime();
  let running: History | undefined;
  let runs = 0;

  const close = (): void => {
    running?.close();
    running = undefined;
  };
  return {
    file,
    runtime: () => runtime,
    restart(limits = {}) {
      close();
      const elapsedMs = runtime.monotonicMs();
      // Another seed, or the run would get the epoch of the one before it.
      runtime = createFakeRuntime(++runs);
      runtime.advance(elapsedMs);
      running = createHistory({ ...LIMITS, ...limits, HISTORY_FILE: file }, runtime);
      return running;
    },
    sql(...statements) {
      close();
      return sql(file, ...statements);
    },
    [Symbol.dispose]() {
      close();
      folder[Symbol.dispose]();
    },
  };
}

/** Publishes these texts; returns their cursors. Fails when the backplane refuses. */
export function append(
  backplane: History,
  texts: readonly string[],
  keys: readonly KeyRecord[] = [],
): string[] {
  const appended = backplane.append(
    texts.map((text) => ({ text, type: "T" })),
    () => keys,
  );
  if (!appended.ok) throw new Error(appended.detail);
  return appended.entries.map(({ cursor }) => cursor);
}

/** The texts after a cursor, or why there are none. */
export function textsSince(backplane: History, since: string): string[] | string {
  const located = backplane.locate(since);
  if (!located.ok) return located.reason;
  const page = backplane.read(
    located.offset,
    backplane.head(),
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  );
  return page.evicted ? "evicted" : page.entries.map(({ text }) => text);
}
