import { describe, expect, test } from "bun:test";
import type { CommandRecord, KeyRecord } from "../../src/backplane/backplane.ts";
import { KEY_TTL_MS } from "../../src/backplane/keys.ts";
import { append, createJournalBench, type JournalBench, textsSince } from "../support/journal-file.ts";

// HISTORY_FILE through the backplane in front of it: what survives a restart, and what a lost tail means.

function key(name: string, atMs: number): KeyRecord {
  return { key: name, digest: `digest of ${name}`, answer: `{"of":"${name}"}`, atMs };
}

function command(id: string, changes: Partial<CommandRecord> = {}): CommandRecord {
  return { id, text: `{"id":"${id}"}`, createdMs: 1, state: "queued", attempts: 0, ...changes };
}

describe("a restart", () => {
  test("keeps the messages byte for byte, their types and their times", () => {
    using bench = createJournalBench();
    const texts = [
      '{"n":9007199254740993,"x":1.0}',
      '{ "s" : "\\ud800 😀 \u2028" }',
      '{"a":1,"a":2}',
      "{\n}\r\n",
    ];
    const before = bench.restart();
    before.append(
      texts.map((text, index) => ({ text, type: index === 0 ? undefined : `T${index}` })),
      () => [],
    );
    const written = before.read(0, 99, 99, 1e6);
    bench.runtime().advance(1_000);
    expect(bench.restart().read(0, 99, 99, 1e6)).toEqual(written);
  });

  test("keeps the order, whatever the clock did", () => {
    using bench = createJournalBench();
    append(bench.restart(), ["1", "2", "3"]);
    bench.sql("UPDATE messages SET at_ms = at_ms - offset");
    expect(textsSince(bench.restart(), "earliest")).toEqual(["1", "2", "3"]);
  });

  test("keeps every cursor that was given out, however many restarts ago", () => {
    using bench = createJournalBench();
    const given: [cursor: string, after: number][] = [];
    let texts: string[] = [];
    for (let run = 0; run < 20; run++) {
      const backplane = bench.restart();
      given.push([backplane.cursorAt(backplane.head()), texts.length]);
      const added = Array.from({ length: run % 4 }, (_, index) => `{"run":${run},"index":${index}}`);
      for (const [index, cursor] of append(backplane, added).entries())
        given.push([cursor, texts.length + index + 1]);
      texts = [...texts, ...added];
      for (const [cursor, after] of given) {
        expect({ run, cursor, texts: textsSince(backplane, cursor) }).toEqual({
          run,
          cursor,
          texts: texts.slice(after),
        });
      }
    }
    expect(new Set(given.slice(1).map(([cursor]) => cursor)).size).toBeGreaterThan(texts.length - 1);
  });

  test("gives new messages cursors that no former run has given", () => {
    using bench = createJournalBench();
    const [first = ""] = append(bench.restart(), ["{}"]);
    const [second = ""] = append(bench.restart(), ["{}"]);
    expect(second).not.toBe(first);
    expect(second.split("-")[0]).not.toBe(first.split("-")[0]);
  });

  test("keeps idempotency keys until their ten minutes are over", () => {
    using bench = createJournalBench();
    const kept = key("k", bench.runtime().nowMs());
    append(bench.restart(), ["{}"], [kept]);
    bench.runtime().advance(KEY_TTL_MS - 10);
    const backplane = bench.restart();
    expect(backplane.findKey("k")).toEqual(kept);
    bench.runtime().advance(20);
    expect(backplane.findKey("k")).toBeUndefined();
    expect(bench.restart().findKey("k")).toBeUndefined();
    bench.runtime().advance(1_000);
    expect(bench.sql("SELECT * FROM keys")).toEqual([]);
  });

  test("keeps commands in the order in which they were accepted, as they last were", () => {
    using bench = createJournalBench();
    const before = bench.restart();
    for (const id of ["c", "a", "b", "gone"])
      expect(before.acceptCommand(command(id), undefined)).toEqual({ ok: true });
    before.saveCommand(command("c", { state: "acknowledged", attempts: 2 }));
    before.saveCommand(command("b", { state: "sent", attempts: 1 }));
    before.forgetCommand("gone");
    expect(bench.restart().recoveredCommands()).toEqual([
      command("c", { state: "acknowledged", attempts: 2 }),
      command("a"),
      command("b", { state: "sent", attempts: 1 }),
    ]);
  });

  test("keeps a command's key with it", () => {
    using bench = createJournalBench();
    const kept = key("k", bench.runtime().nowMs());
    bench.restart().acceptCommand(command("a"), kept);
    expect(bench.restart().findKey("k")).toEqual(kept);
  });

  test("with a shorter history evicts what no longer fits, and says so", () => {
    using bench = createJournalBench();
    const cursors = append(bench.restart(), ["1", "2", "3", "4", "5"]);
    const backplane = bench.restart({ HISTORY_MESSAGES: 2 });
    expect(backplane.fill().messages).toBe(2);
    expect(cursors.map((cursor) => textsSince(backplane, cursor))).toEqual([
      "evicted",
      "evicted",
      ["4", "5"],
      ["5"],
      [],
    ]);
  });

  test("after everything has expired goes on behind it, and the head's cursor stays good", () => {
    using bench = createJournalBench();
    const [first = "", second = ""] = append(bench.restart(), ["1", "2"]);
    bench.runtime().advance(10_000_000);
    const backplane = bench.restart();
    expect([textsSince(backplane, first), textsSince(backplane, second)]).toEqual(["evicted", []]);
    append(backplane, ["3"]);
    expect([textsSince(backplane, first), textsSince(backplane, second)]).toEqual(["evicted", ["3"]]);
  });
});

describe("a lost tail", () => {
  test("makes the cursors into it unknown for good, and only those", () => {
    using bench = createJournalBench();
    const cursors = append(bench.restart(), ["1", "2", "3", "4"]);
    bench.sql("DELETE FROM messages WHERE offset > 2");
    const backplane = bench.restart();
    const seen = (): unknown[] => cursors.map((cursor) => textsSince(backplane, cursor));
    expect(seen()).toEqual([["2"], [], "unknown", "unknown"]);
    const again = append(backplane, ["3 anew", "4 anew", "5 anew"]);
    expect(seen()).toEqual([
      ["2", "3 anew", "4 anew", "5 anew"],
      ["3 anew", "4 anew", "5 anew"],
      "unknown",
      "unknown",
    ]);
    expect(again.some((cursor) => cursors.includes(cursor))).toBe(false);
  });

  test("of a whole run takes its epoch along", () => {
    using bench = createJournalBench();
    const [kept = ""] = append(bench.restart(), ["1"]);
    const [lost = ""] = append(bench.restart(), ["2"]);
    bench.sql("DELETE FROM messages WHERE offset = 2");
    bench.sql("DELETE FROM epochs WHERE ordinal = (SELECT max(ordinal) FROM epochs)");
    const backplane = bench.restart();
    append(backplane, ["2 anew"]);
    expect([textsSince(backplane, kept), textsSince(backplane, lost)]).toEqual([["2 anew"], "unknown"]);
  });
});

describe("what is evicted leaves the file as well", () => {
  const rowsOf = (bench: JournalBench): unknown =>
    bench.sql("SELECT min(offset) AS first, max(offset) AS last FROM messages");

  test("in the course of time, in pieces", () => {
    using bench = createJournalBench();
    const backplane = bench.restart({ HISTORY_MESSAGES: 10 });
    append(
      backplane,
      Array.from({ length: 600 }, (_, index) => `${index + 1}`),
    );
    bench.runtime().advance(1_000);
    expect(rowsOf(bench)).toEqual([{ first: 591, last: 600 }]);
  });

  test("when all of it has expired, but for the newest, which says how far the stream is", () => {
    using bench = createJournalBench();
    append(bench.restart(), ["1", "2", "3"]);
    bench.runtime().advance(4_000_000);
    expect(rowsOf(bench)).toEqual([{ first: 3, last: 3 }]);
    expect(append(bench.restart(), ["4"])).toEqual([expect.stringMatching(/-4$/)]);
  });
});

describe("the size of the file", () => {
  const text = `{"pad":"${"x".repeat(10_000)}"}`;

  test("follows HISTORY_BYTES: what is evicted is deleted within a second", () => {
    using bench = createJournalBench();
    const backplane = bench.restart({ HISTORY_BYTES: 50_000 });
    append(backplane, new Array<string>(40).fill(text));
    bench.runtime().advance(1_000);
    expect(bench.sql("SELECT count(*) AS n FROM messages")).toEqual([{ n: 4 }]);
  });

  test("does not decide what a start takes into memory", () => {
    using bench = createJournalBench();
    append(bench.restart(), new Array<string>(40).fill(text));
    const backplane = bench.restart({ HISTORY_BYTES: 50_000 });
    expect(backplane.fill().messages).toBe(4);
    expect(backplane.head()).toBe(40);
    bench.runtime().advance(1_000);
    expect(bench.sql("SELECT min(offset) AS first FROM messages")).toEqual([{ first: 37 }]);
  });
});
