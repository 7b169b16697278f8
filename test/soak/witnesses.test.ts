import { describe, expect, test } from "bun:test";
import { createLine, type Line } from "./line.ts";
import { createReceipts } from "./receipts.ts";
import { createStretch, type Filter, type Stretch, UNKNOWN_CURSOR } from "./stretch.ts";

const KEPT = { messages: 5, bytes: 1_000_000 };

function textOf(n: number, by = "one"): string {
  return `{"type":"${n % 2 === 0 ? "EVEN" : "ODD"}","by":"${by}","n":${n}}`;
}

/** The messages 1 to `count` at the cursors e-1, e-2 and so on. */
function lineOf(count: number): Line {
  const line = createLine();
  line.nameEnd("e-0");
  for (let n = 1; n <= count; n += 1) line.add(`e-${n}`, textOf(n));
  return line;
}

interface About {
  readonly filter?: Filter;
  readonly since?: string;
  readonly resumed?: boolean;
  readonly reason?: string;
}

/** A client that was greeted at e-0 of a line of ten, and then told these messages. */
function told(messages: readonly number[], about: About = {}): Stretch {
  const { filter, since, resumed = false, reason = "none" } = about;
  const stretch = createStretch({ line: lineOf(10), filter, since, kept: KEPT, isRestarted: false });
  stretch.take({ kind: "hello", cursor: "e-0", resumed, reason });
  for (const n of messages) stretch.take({ kind: "message", cursor: `e-${n}`, text: textOf(n) });
  return stretch;
}

describe("a client", () => {
  test("that was told everything is content, also one with a filter", () => {
    const all = told([1, 2, 3]);
    all.check();
    expect(all.position()).toBe(3);
    const even = told([2, 4], { filter: ["EVEN"] });
    even.take({ kind: "position", cursor: "e-5" });
    even.check();
    expect(even.position()).toBe(5);
  });

  test.each([
    ["missed one", [1, 3], "missed e-2"],
    ["missed the first", [2], "missed e-1"],
    ["got one twice", [1, 1], "went back"],
    ["got two turned around", [1, 2, 1], "went back"],
  ])("that %s is found", (_, messages, words) => {
    expect(() => told(messages).check()).toThrow(words);
  });

  test("that missed one before a position is found", () => {
    const stretch = told([2], { filter: ["EVEN"] });
    stretch.take({ kind: "position", cursor: "e-4" });
    expect(() => stretch.check()).toThrow("missed e-4");
  });

  test("that got another text, or what is not for it, is found", () => {
    const stretch = told([1]);
    stretch.take({ kind: "message", cursor: "e-2", text: textOf(2).replace(":2", ": 2") });
    expect(() => stretch.check()).toThrow("another text");
    expect(() => told([1], { filter: ["EVEN"] }).check()).toThrow("was sent message e-1, a ODD");
  });

  test("waits for what the line does not know yet", () => {
    const stretch = told([1]);
    stretch.take({ kind: "message", cursor: "e-99", text: "{}" });
    stretch.check();
    expect(stretch.waiting()).toBe("message e-99");
  });

  test("must be resumed where all is held, and told otherwise where it is not", () => {
    expect(() => told([], { since: "e-8", reason: "evicted" }).check()).toThrow("since=e-8 was answered");
    expect(() => told([], { since: "e-1", reason: "evicted" }).check()).not.toThrow();
    expect(() => told([], { since: "e-1", reason: "unknown" }).check()).toThrow("since=e-1 was answered");
    expect(() => told([], { since: UNKNOWN_CURSOR, resumed: true }).check()).toThrow("was resumed");
  });

  test("of raw framing is held against the texts", () => {
    const raw = (...messages: number[]): Stretch => {
      const stretch = createStretch({
        line: lineOf(10),
        filter: undefined,
        since: undefined,
        kept: KEPT,
        isRestarted: false,
      });
      stretch.takeRaw('{"type":"WORKER_STATUS","status":"offline","metadata":null}');
      for (const n of messages) stretch.takeRaw(textOf(n));
      return stretch;
    };
    expect(() => raw(4, 5, 6).check()).not.toThrow();
    expect(() => raw(4, 6).check()).toThrow("missed e-5");
    expect(() => raw(4, 4).check()).toThrow("went back");
  });
});

describe("the line", () => {
  test("takes no message twice, no cursor twice, and no publisher's messages turned around", () => {
    const line = lineOf(3);
    expect(() => line.add("e-4", textOf(3))).toThrow("message 3 of one came behind its message 3");
    expect(() => line.add("e-3", textOf(4))).toThrow("given to two messages");
    expect(() => line.nameEnd("e-1")).toThrow("names position 1 and the end");
  });

  test("forgets the oldest and knows the newest", () => {
    const line = createLine(100);
    for (let n = 1; n <= 1_000; n += 1) line.add(`e-${n}`, textOf(n));
    expect(line.length()).toBe(1_000);
    expect(line.positionOf("e-1")).toBeUndefined();
    expect(line.positionOf("e-1000")).toBe(1_000);
    expect(line.entry(999)?.cursor).toBe("e-1000");
    expect(line.length() - line.start()).toBeLessThanOrEqual(101);
  });
});

test("a receipt that names another message's cursor is found, one that is right is kept", () => {
  const faults: string[] = [];
  const receipts = createReceipts(lineOf(3), (what) => faults.push(what));
  receipts.promise("e-1", textOf(1));
  receipts.check();
  expect([receipts.kept(), faults]).toEqual([1, []]);
  receipts.promise("e-2", textOf(3));
  receipts.check();
  expect(faults[0]).toContain("names e-2, where another message stands");
});
