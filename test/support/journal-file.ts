import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backplane, KeyRecord } from "../../src/backplane/backplane.ts";
import { createLocalBackplane } from "../../src/backplane/local.ts";
import { createFakeRuntime, type FakeRuntime } from "./fake-runtime.ts";

/** The settings of a local backplane; HISTORY_FILE is the bench's own. */
export interface HistoryLimits {
  readonly HISTORY_MESSAGES?: number;
  readonly HISTORY_BYTES?: number;
  readonly HISTORY_TTL_MS?: number;
}

/** A history file in a folder of its own, and the backplanes that run on it one after the other. */
export interface JournalBench extends Disposable {
  readonly file: string;
  /** Closes the one that runs and opens the next: a restart, at which the clock goes on. */
  restart(limits?: HistoryLimits): Backplane;
  runtime(): FakeRuntime;
  /** Changes the file while no backplane has it, as a power loss or an operator would; reads go the same way. */
  sql(statements: string): unknown[];
}

export function createJournalBench(): JournalBench {
  const folder = mkdtempSync(join(tmpdir(), "vectra-journal-"));
  const file = join(folder, "history.sqlite");
  let runtime = createFakeRuntime();
  let running: Backplane | undefined;
  let seed = 0;

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
      // Each run has epochs of its own.
      runtime = createFakeRuntime(++seed);
      runtime.advance(elapsedMs);
      running = createLocalBackplane({ ...LIMITS, ...limits, HISTORY_FILE: file }, runtime);
      return running;
    },
    sql(statements) {
      close();
      const db = new Database(file);
      try {
        return db.query(statements).all();
      } finally {
        db.close();
      }
    },
    [Symbol.dispose]() {
      close();
      rmSync(folder, { recursive: true });
    },
  };
}

export const LIMITS = { HISTORY_MESSAGES: 1_000, HISTORY_BYTES: 1_000_000, HISTORY_TTL_MS: 3_600_000 };

/** Publishes these texts; returns their cursors. Fails when the backplane refuses. */
export function append(backplane: Backplane, texts: readonly string[], keys: readonly KeyRecord[] = []): string[] {
  const appended = backplane.append(
    texts.map((text) => ({ text, type: "T" })),
    () => keys,
  );
  if (!appended.ok) throw new Error(appended.detail);
  return appended.entries.map(({ cursor }) => cursor);
}

/** The texts after a cursor, or why there are none. */
export function textsSince(backplane: Backplane, since: string): string[] | string {
  const located = backplane.locate(since);
  if (!located.ok) return located.reason;
  const page = backplane.read(located.offset, backplane.head(), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  return page.evicted ? "evicted" : page.entries.map(({ text }) => text);
}
