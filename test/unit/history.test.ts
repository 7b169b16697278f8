import { describe, expect, test } from "bun:test";
import type { CommandRecord, KeyRecord } from "../../src/backplane/backplane.ts";
import { createHistory, type History } from "../../src/backplane/history.ts";
import { KEYS_LIMIT } from "../../src/backplane/keys.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { append, createJournalBench, LIMITS, textsSince } from "../support/journal-file.ts";

// The backplane of a single hub: where cursors stand, and that what is refused leaves nothing behind.

function inMemory(limits: Partial<typeof LIMITS> = {}) {
  const runtime = createFakeRuntime();
  return {
    runtime,
    backplane: createHistory({ ...LIMITS, ...limits, HISTORY_FILE: undefined }, runtime),
  };
}

function key(name: string, atMs: number): KeyRecord {
  return { key: name, digest: "d", answer: "{}", atMs };
}

const COMMAND: CommandRecord = { id: "c1", text: "{}", createdMs: 1, state: "queued", attempts: 0 };

describe("a history in memory", () => {
  test("begins empty, at a cursor that is good", () => {
    const { backplane } = inMemory();
    expect([backplane.head(), backplane.fill()]).toEqual([0, { messages: 0, bytes: 0, keys: 0 }]);
    expect(textsSince(backplane, backplane.cursorAt(0))).toEqual([]);
    expect([backplane.recoveredCommands(), backplane.trouble()]).toEqual([[], undefined]);
  });

  test("counts offsets without a gap, and sizes in bytes", () => {
    const { backplane, runtime } = inMemory();
    const appended = backplane.append(
      [
        { text: '"é😀"', type: "A" },
        { text: "{}", type: undefined },
      ],
      () => [],
    );
    const atMs = runtime.nowMs();
    expect(appended.ok && appended.entries).toEqual([
      { offset: 1, cursor: backplane.cursorAt(1), text: '"é😀"', byteCount: 8, type: "A", atMs },
      { offset: 2, cursor: backplane.cursorAt(2), text: "{}", byteCount: 2, type: undefined, atMs },
    ]);
    expect(backplane.fill()).toMatchObject({ messages: 2, bytes: 10 });
  });

  test("says of each cursor what can be resumed from it", () => {
    const { backplane } = inMemory({ HISTORY_MESSAGES: 3 });
    const cursors = append(backplane, ["1", "2", "3", "4", "5"]);
    expect(cursors.map((cursor) => textsSince(backplane, cursor))).toEqual([
      "evicted",
      ["3", "4", "5"],
      ["4", "5"],
      ["5"],
      [],
    ]);
    expect(textsSince(backplane, "earliest")).toEqual(["3", "4", "5"]);
    const [epoch = ""] = (cursors[0] ?? "").split("-");
    for (const unknown of ["", "latest", "EARLIEST", `${epoch}-6`, "00000000-3", `${epoch}-`, "5"]) {
      expect({ unknown, found: textsSince(backplane, unknown) }).toEqual({ unknown, found: "unknown" });
    }
    expect(textsSince(backplane, `${epoch}-0`)).toBe("evicted");
  });

  test("lets go of what is too old, also while nothing is published", () => {
    const { backplane, runtime } = inMemory({ HISTORY_TTL_MS: 5_000 });
    const [first = "", second = ""] = append(backplane, ["1", "2"]);
    runtime.advance(5_000);
    expect(backplane.fill().messages).toBe(2);
    runtime.advance(1_001);
    expect(backplane.fill()).toMatchObject({ messages: 0, bytes: 0 });
    expect([textsSince(backplane, first), textsSince(backplane, second)]).toEqual(["evicted", []]);
    expect(textsSince(backplane, "earliest")).toEqual([]);
  });

  test("does not resume from what is too old but still there", () => {
    const { backplane, runtime } = inMemory({ HISTORY_TTL_MS: 500 });
    const [first = ""] = append(backplane, ["1", "2"]);
    runtime.advance(501);
    expect(backplane.fill().messages).toBe(2);
    expect(textsSince(backplane, first)).toBe("evicted");
  });

  test("leaves no timer behind", () => {
    const { backplane, runtime } = inMemory();
    expect(runtime.timerCount()).toBeGreaterThan(0);
    backplane.close();
    expect(runtime.timerCount()).toBe(0);
  });
});

describe("with no room for its key", () => {
  function full(): History {
    const { backplane, runtime } = inMemory();
    const keys = Array.from({ length: KEYS_LIMIT }, (_, index) => key(`k${index}`, runtime.nowMs()));
    append(backplane, ["1"], keys);
    return backplane;
  }
  test("a publish is refused and leaves nothing; one without a key is taken", () => {
    const backplane = full();
    const refused = backplane.append([{ text: "2", type: "T" }], (entries) => [
      key("new", entries[0]?.atMs ?? 0),
    ]);
    expect(refused).toMatchObject({ ok: false, code: "keys_full" });
    expect([backplane.head(), backplane.findKey("new"), backplane.trouble()]).toEqual([
      1,
      undefined,
      undefined,
    ]);
    expect(append(backplane, ["2"])).toHaveLength(1);
  });

  test("a command is refused; one without a key is taken", () => {
    const backplane = full();
    expect(backplane.acceptCommand(COMMAND, key("new", 0))).toMatchObject({ ok: false, code: "keys_full" });
    expect(backplane.acceptCommand(COMMAND, undefined)).toEqual({ ok: true });
  });
});

/** A file that refuses what is poisoned: ABORT undoes the statement, ROLLBACK the whole transaction, as a full disk does. */
function refusing(how: "ABORT" | "ROLLBACK", table: string, column: string): string {
  return `CREATE TRIGGER refuse_${table} BEFORE INSERT ON ${table} WHEN NEW.${column} LIKE '%poison%'
    BEGIN SELECT RAISE(${how}, 'database or disk is full'); END`;
}

describe.each(["ABORT", "ROLLBACK"] as const)("a write that the file refuses (%s)", (how) => {
  function poisonable() {
    const bench = createJournalBench();
    append(bench.restart(), ["1"]);
    bench.sql(refusing(how, "messages", "text"));
    bench.sql(refusing(how, "keys", "key"));
    bench.sql(refusing(how, "commands", "text"));
    return { bench, backplane: bench.restart(), [Symbol.dispose]: () => bench[Symbol.dispose]() };
  }
  const message = (text: string) => ({ text, type: "T" });
  const attempts: Record<string, { texts: string[]; keys: string[] }> = {
    "one message": { texts: ["poison"], keys: [] },
    "the last of a batch": { texts: ["2", "3", "poison"], keys: [] },
    "the first of a batch, with a key": { texts: ["poison", "3"], keys: ["k"] },
    "the key of one message": { texts: ["2"], keys: ["poison"] },
    "the last key of a batch": { texts: ["2", "3"], keys: ["k", "poison"] },
  };
  test.each(Object.keys(attempts))("%s: nothing of it is there, then or after a restart", (name) => {
    const { texts, keys } = attempts[name] as (typeof attempts)[string];
    using opened = poisonable();
    const { bench, backplane } = opened;
    const refused = backplane.append(texts.map(message), () =>
      keys.map((one) => key(one, bench.runtime().nowMs())),
    );
    expect(refused).toEqual({ ok: false, code: "storage", detail: expect.stringContaining("disk is full") });
    expect(backplane.trouble()).toContain("disk is full");
    const left = (from: History): unknown => [
      textsSince(from, "earliest"),
      from.findKey("k"),
      from.fill().keys,
    ];
    expect(left(backplane)).toEqual([["1"], undefined, 0]);

    const [cursor = ""] = append(backplane, ["2 at last"]);
    expect([cursor.split("-")[1], backplane.trouble()]).toEqual(["2", undefined]);
    const restarted = bench.restart();
    expect(left(restarted)).toEqual([["1", "2 at last"], undefined, 0]);
    expect(textsSince(restarted, cursor)).toEqual([]);
  });

  test("a command and its key: neither is there", () => {
    using opened = poisonable();
    const { bench, backplane } = opened;
    const now = bench.runtime().nowMs();
    const refusals = [
      backplane.acceptCommand({ ...COMMAND, text: "poison" }, key("k", now)),
      backplane.acceptCommand({ ...COMMAND, text: "poison" }, undefined),
      backplane.acceptCommand(COMMAND, key("poison", now)),
    ];
    for (const refused of refusals) expect(refused).toMatchObject({ ok: false, code: "storage" });
    expect(backplane.fill().keys).toBe(0);
    expect(backplane.acceptCommand({ ...COMMAND, id: "c2" }, key("k", now))).toEqual({ ok: true });
    const restarted = bench.restart();
    expect(restarted.recoveredCommands()).toEqual([{ ...COMMAND, id: "c2" }]);
    expect(restarted.findKey("k")).toEqual(key("k", now));
  });

  test("the trouble ends by itself, and not before something can really be written", () => {
    using opened = poisonable();
    const { bench } = opened;
    const roomAtMs = bench.runtime().nowMs() + 5_000;
    bench.sql(`CREATE TRIGGER no_room BEFORE INSERT ON health WHEN NEW.at_ms < ${roomAtMs}
      BEGIN SELECT RAISE(${how}, 'database or disk is full'); END`);
    const backplane = bench.restart();
    backplane.append([message("poison")], () => []);
    bench.runtime().advance(4_999);
    expect(backplane.trouble()).toContain("disk is full");
    bench.runtime().advance(1_000);
    expect(backplane.trouble()).toBeUndefined();
  });
});
