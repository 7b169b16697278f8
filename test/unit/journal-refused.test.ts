import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHistory } from "../../src/backplane/history.ts";
import { JournalError } from "../../src/backplane/journal.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import {
  append,
  createFolder,
  createJournalBench,
  LIMITS,
  sql,
  textsSince,
} from "../support/journal-file.ts";

// A history file that cannot be used: the start is refused in one line that names the file, the reason and the repair.

function refusalOf(file: string): string {
  const runtime = createFakeRuntime();
  try {
    createHistory({ ...LIMITS, HISTORY_FILE: file }, runtime).close();
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    expect(error.message).toStartWith(`HISTORY_FILE ${file} `);
    expect(error.message).not.toContain("\n");
    // Nothing that could go on without the hub.
    expect(runtime.timerCount()).toBe(0);
    return error.message;
  }
  throw new Error(`${file} was taken`);
}

/** A whole history file with 500 messages, not open anywhere. */
function writeHistory(file: string): void {
  using bench = createJournalBench();
  append(
    bench.restart(),
    Array.from({ length: 500 }, (_, index) => `{"n":${index}}`),
  );
  bench.sql(`VACUUM INTO '${file}'`);
}

test("a file like those below, but for the harm done to it, is taken", () => {
  using folder = createFolder();
  writeHistory(folder.file);
  const backplane = createHistory({ ...LIMITS, HISTORY_FILE: folder.file }, createFakeRuntime(9));
  expect(textsSince(backplane, "earliest")).toHaveLength(500);
  backplane.close();
});

const UNUSABLE: Record<string, { make: (file: string) => void; says: RegExp }> = {
  "that is no SQLite file": {
    make: (file) => writeFileSync(file, "hello ".repeat(1_000)),
    says: /is no SQLite file: name another file/,
  },
  "of another program": {
    make: (file) => void sql(file, "CREATE TABLE theirs (x)"),
    says: /is a database of another program: name another file/,
  },
  "of another program, with an id of its own": {
    make: (file) => void sql(file, "PRAGMA application_id = 1", "CREATE TABLE theirs (x)"),
    says: /is a database of another program/,
  },
  "of a newer hub": {
    make(file) {
      writeHistory(file);
      sql(file, "PRAGMA user_version = 2");
    },
    says: /has format 2, this hub knows 1: use the hub that wrote it, or another file/,
  },
  "that is damaged": {
    make(file) {
      writeHistory(file);
      const bytes = readFileSync(file);
      // The first page, the schema's, stays whole.
      writeFileSync(file, bytes.fill(0xaa, 4_096));
    },
    says: /is damaged: restore it from a backup, or move it away to start anew/,
  },
  "that was cut short": {
    make(file) {
      writeHistory(file);
      writeFileSync(file, readFileSync(file).subarray(0, 8_192));
    },
    says: /is damaged/,
  },
  "that is a folder": { make: (file) => mkdirSync(file), says: /cannot be opened: name a file/ },
  "in a folder that is not there": {
    make: (file) => void mkdirSync(join(dirname(file), "elsewhere")),
    says: /cannot be opened: name a file in a folder that exists/,
  },
};

test.each(Object.keys(UNUSABLE))("a file %s is refused", (name) => {
  const { make, says } = UNUSABLE[name] as (typeof UNUSABLE)[string];
  using folder = createFolder();
  make(folder.file);
  const file = name.includes("not there") ? join(dirname(folder.file), "missing", "h.sqlite") : folder.file;
  const before = contentOf(file);
  expect(refusalOf(file)).toMatch(says);
  // What may be somebody else's is left as it was.
  if (!name.includes("damaged")) expect(contentOf(file)).toEqual(before);
});

test("a file that another hub holds is refused until that one has ended", () => {
  using bench = createJournalBench();
  const [cursor = ""] = append(bench.restart(), ["1"]);
  expect(refusalOf(bench.file)).toMatch(/is in use by another hub: stop that one, or give each hub a file/);
  expect(append(bench.restart(), ["2"])).toHaveLength(1);
  expect(textsSince(bench.restart(), cursor)).toEqual(["2"]);
});

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
