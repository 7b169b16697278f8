import { describe, expect, test } from "bun:test";
import { createLog, LOG_LEVELS, type Log, type LogFields, type LogLevel } from "../../src/observe/log.ts";

// Lines for people and for machines; nothing that comes from outside can forge or hide one.

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const NOW = "2026-01-02T03:04:05.678Z";

function logTo(lines: string[], format: "text" | "json", level: LogLevel = "debug"): Log {
  return createLog({ level, format, nowMs: () => NOW_MS, write: (line) => void lines.push(line) });
}

function written(format: "text" | "json", fields?: LogFields): string {
  const lines: string[] = [];
  logTo(lines, format).warning?.("SECURITY", "websocket_endpoint", "Unauthorized Worker Attempt", fields);
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
}

const TEXT = `${NOW} WARNING SECURITY | websocket_endpoint | Unauthorized Worker Attempt`;

describe("levels", () => {
  test.each(LOG_LEVELS.map((level, index) => [level, LOG_LEVELS.slice(index)] as const))(
    "%s has %p, and no function for the others",
    (level, enabled) => {
      const log = logTo([], "text", level);
      expect(LOG_LEVELS.filter((name) => log[name] !== undefined)).toEqual([...enabled]);
      for (const name of LOG_LEVELS)
        expect(typeof log[name]).toBe(enabled.includes(name) ? "function" : "undefined");
    },
  );

  test("at a level that is off not even the arguments are evaluated", () => {
    const lines: string[] = [];
    const log = logTo(lines, "text", "info");
    let evaluated = 0;
    const costly = (): string => `${++evaluated}`;
    log.debug?.("START", "scope", costly(), { value: costly() });
    expect([evaluated, lines]).toEqual([0, []]);
    log.info?.("START", "scope", costly(), { value: costly() });
    expect([evaluated, lines.length]).toEqual([2, 1]);
  });
});

describe("text", () => {
  test("has the shape of the Python original's lines", () => {
    expect(written("text")).toBe(TEXT);
    expect(written("text", {})).toBe(TEXT);
  });

  test.each([
    ["a plain word", "1f0c9a7e", "1f0c9a7e"],
    ["a URL", "http://127.0.0.1:8000/ws", "http://127.0.0.1:8000/ws"],
    ["a number", 12.5, "12.5"],
    ["false", false, "false"],
    ["null", null, "null"],
    ["an empty text", "", '""'],
    ["a space", "a b", '"a b"'],
    ["the line's own punctuation", "x, secret: right]", '"x, secret: right]"'],
    ["a bar", "a|b", '"a|b"'],
    ["a quote", 'a"b', '"a\\"b"'],
    ["a line end", "a\nFINISH | all is well", '"a\\nFINISH | all is well"'],
    ["a carriage return", "a\rb", '"a\\rb"'],
    ["an escape sequence of a terminal", "\u001b[2Kgone", '"\\u001b[2Kgone"'],
    ["a NUL", "\0", '"\\u0000"'],
    ["delete and C1 controls", "\u007f\u0085\u009b", '"\\u007f\\u0085\\u009b"'],
    ["line and paragraph separators", "\u2028\u2029", '"\\u2028\\u2029"'],
    ["marks that change the direction", "\u202e\u2066\u200f", '"\\u202e\\u2066\\u200f"'],
    ["invisible characters", "\u200b\ufeff", '"\\u200b\\ufeff"'],
    ["a lone surrogate", "\ud800", '"\\ud800"'],
    ["letters of any script stay readable", "Schéma", '"Schéma"'],
  ])("%s", (_what, value, shown) => {
    expect(written("text", { field: value })).toBe(`${TEXT} [field: ${shown}]`);
  });

  test("several fields in their order; one without a value is left out", () => {
    expect(written("text", { b: 1, a: undefined, c: "x" })).toBe(`${TEXT} [b: 1, c: x]`);
  });
});

describe("json", () => {
  const read = (line: string): Record<string, unknown> => JSON.parse(line);

  test("is one object with the names that tools look for", () => {
    expect(Object.entries(read(written("json", { conn_id: "1f0c9a7e", count: 2, gone: undefined })))).toEqual(
      [
        ["time", NOW],
        ["level", "warning"],
        ["event", "SECURITY"],
        ["scope", "websocket_endpoint"],
        ["msg", "Unauthorized Worker Attempt"],
        ["conn_id", "1f0c9a7e"],
        ["count", 2],
      ],
    );
  });

  test.each([
    "a\nb",
    "\r",
    '"},{"level":"info',
    "\u2028",
    "\u202e",
    "\u0085",
    "\u007f",
    "\ufeff",
    "\u001b[2K",
    "\ud800",
  ])("%j stays one line, of ASCII controls none, and reads as what it was", (value) => {
    const line = written("json", { value });
    expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202e\ufeff]/u);
    expect(read(line)["value"]).toBe(value);
  });
});

describe("a long value", () => {
  test.each([
    [256, "x".repeat(256)],
    [257, `${"x".repeat(256)}…`],
    [1_000_000, `${"x".repeat(256)}…`],
  ])("of %d characters is cut", (length, shown) => {
    const value = "x".repeat(length);
    expect(JSON.parse(written("json", { value })).value).toBe(shown);
    expect(written("text", { value }).length).toBeLessThan(TEXT.length + 300);
  });
});
