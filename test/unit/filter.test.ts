import { describe, expect, test } from "bun:test";
import { FILTER_LIMIT_TYPES, isFilterable, passes, readFilter } from "../../src/protocol/filter.ts";

// PROTOCOL.md, section 2.

const LONGEST = "x".repeat(64);

function names(count: number): string {
  return Array.from({ length: count }, (_, number) => `T${number}`).join(",");
}

describe("readFilter", () => {
  test("without a list, everything passes", () => {
    expect(readFilter(null)).toEqual({ ok: true, types: undefined });
  });

  test.each([
    ["one name", "DOC_UPDATE", ["DOC_UPDATE", "WORKER_STATUS"]],
    ["several", "A,B,C", ["A", "B", "C", "WORKER_STATUS"]],
    ["one name twice", "A,A", ["A", "WORKER_STATUS"]],
    ["WORKER_STATUS itself", "WORKER_STATUS", ["WORKER_STATUS"]],
    ["every character that a name may have", "aZ09_.:-", ["aZ09_.:-", "WORKER_STATUS"]],
    ["the longest name", LONGEST, [LONGEST, "WORKER_STATUS"]],
    ["names of objects' own members", "__proto__,constructor", ["__proto__", "constructor", "WORKER_STATUS"]],
  ])("takes %s", (_what, list, types) => {
    expect(readFilter(list)).toEqual({ ok: true, types: new Set(types) });
  });

  test("takes as many names as allowed, and WORKER_STATUS beside them", () => {
    const filter = readFilter(names(FILTER_LIMIT_TYPES));
    expect(filter.ok && filter.types?.size).toBe(FILTER_LIMIT_TYPES + 1);
  });

  test.each([
    ["an empty list", ""],
    ["an empty name at the end", "A,"],
    ["an empty name at the start", ",A"],
    ["an empty name between", "A,,B"],
    ["a space", "A, B"],
    ["a space alone", " "],
    ["a name that is too long", `${LONGEST}x`],
    ["another separator", "A;B"],
    ["a star", "*"],
    ["a slash, which topics are made with", "a/b"],
    ["a percent sign that was not decoded", "A%2CB"],
    ["letters beyond ASCII", "DOC_É"],
    ["a line end", "A\n"],
    ["a NUL", "A\0"],
    ["one name too many", names(FILTER_LIMIT_TYPES + 1)],
    ["a long list of nothing", ",".repeat(100_000)],
  ])("refuses %s, and says why", (_what, list) => {
    const filter = readFilter(list);
    expect(filter).toEqual({ ok: false, why: expect.stringMatching(/types/) });
  });
});

describe("isFilterable", () => {
  test.each([
    ["DOC_UPDATE", true],
    [LONGEST, true],
    [`${LONGEST}x`, false],
    ["", false],
    ["a b", false],
    ["é", false],
    ["raw/A", false],
    [undefined, false],
  ])("%p: %p", (type, can) => {
    expect(isFilterable(type)).toBe(can);
    // Whatever can be asked for must also be what a list can say.
    expect(type !== undefined && readFilter(type).ok).toBe(can);
  });
});

describe("passes", () => {
  const some = new Set(["A", "WORKER_STATUS"]);
  test.each([
    ["no filter", undefined, "A", true],
    ["no filter", undefined, undefined, true],
    ["no filter, the hub's own probe", undefined, "VECTRA_CANARY", false],
    ["A", some, "A", true],
    ["A", some, "WORKER_STATUS", true],
    ["A", some, "B", false],
    ["A", some, "a", false],
    ["A", some, undefined, false],
  ])("%s", (_what, types, type, expected) => {
    expect({ type, passes: passes(types, type) }).toEqual({ type, passes: expected });
  });
});
