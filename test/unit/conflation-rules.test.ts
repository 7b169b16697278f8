import { describe, expect, test } from "bun:test";
import { formatConflation, parseConflation } from "../../src/protocol/conflation.ts";

// The setting CONFLATE of PROTOCOL.md, section 5.

const LONG_TYPE = "t".repeat(64);
const LONG_KEY = "é".repeat(64);

function ruleList(count: number): string {
  return Array.from({ length: count }, (_, index) => `TYPE_${index}:id:100`).join(",");
}

const READ: Record<string, { list: string; rules: [type: string, key: string, windowMs: number][] }> = {
  "one rule": { list: "DOC_PROGRESS:doc_id:100", rules: [["DOC_PROGRESS", "doc_id", 100]] },
  "several rules, in their order": {
    list: "B:b:10,A:a:60000",
    rules: [
      ["B", "b", 10],
      ["A", "a", 60_000],
    ],
  },
  "white space around rules": {
    list: " A:a:100 ,\n B:b:200 ",
    rules: [
      ["A", "a", 100],
      ["B", "b", 200],
    ],
  },
  "a type that holds colons": {
    list: "doc:progress:v2:doc_id:100",
    rules: [["doc:progress:v2", "doc_id", 100]],
  },
  "a type that is a colon": { list: "::doc_id:100", rules: [[":", "doc_id", 100]] },
  "every character of a type": { list: "aZ09_.:-:k:100", rules: [["aZ09_.:-", "k", 100]] },
  "the longest type and the longest key": {
    list: `${LONG_TYPE}:${LONG_KEY}:100`,
    rules: [[LONG_TYPE, LONG_KEY, 100]],
  },
  "a key with a space and a dot in it": { list: "A:doc id.x:100", rules: [["A", "doc id.x", 100]] },
  "the same key in two rules": {
    list: "A:id:100,B:id:100",
    rules: [
      ["A", "id", 100],
      ["B", "id", 100],
    ],
  },
  "types that differ in case": {
    list: "A:id:100,a:id:100",
    rules: [
      ["A", "id", 100],
      ["a", "id", 100],
    ],
  },
  "an empty list": { list: "", rules: [] },
  "a blank list": { list: "  ", rules: [] },
};

const REFUSED: Record<string, { list: string; why: string }> = {
  "a type alone": { list: "A", why: 'holds the rule "A", which is not of the form type:key:ms' },
  "a rule without a window": {
    list: "A:id",
    why: 'holds the rule "A:id", which is not of the form type:key:ms',
  },
  "a comma at the end": { list: "A:id:100,", why: 'holds the rule "", which is not of the form type:key:ms' },
  "a comma too many": { list: "A:id:100,,B:id:100", why: 'holds the rule "", which' },
  "the wrong one of two rules": { list: "A:id:100,B:id:9", why: 'holds the rule "B:id:9", whose window' },
  "an empty type": { list: ":id:100", why: 'holds the rule ":id:100", whose type is not 1 to 64 characters' },
  "a type that is too long": { list: `${LONG_TYPE}t:id:100`, why: "whose type is not 1 to 64 characters" },
  "a type with another character": { list: "DOC PROGRESS:id:100", why: "whose type is not" },
  "a type with a line end": { list: "A\n:id:100", why: "whose type is not" },
  "the hub's WORKER_STATUS": { list: "WORKER_STATUS:status:100", why: "whose type is the hub's own" },
  "the worker's REGISTER_WORKER": {
    list: "REGISTER_WORKER:metadata:100",
    why: "whose type is the hub's own",
  },
  "an empty key": { list: "A::100", why: 'holds the rule "A::100", whose key is not 1 to 64 characters' },
  "a key that is too long": { list: `A:${LONG_KEY}e:100`, why: "whose key is not" },
  "a space before the key": { list: "A: id:100", why: "whose key is not" },
  "a space behind the key": { list: "A:id :100", why: "whose key is not" },
  "a control character in the key": { list: "A:i\u0007d:100", why: '"A:i\\u0007d:100", whose key is not' },
  "a window that is too short": {
    list: "A:id:9",
    why: "whose window is no whole number of milliseconds from 10 to 60000",
  },
  "a window that is too long": { list: "A:id:60001", why: "whose window is no" },
  "a window of many digits": { list: "A:id:100000000000000000000", why: "whose window is no" },
  "no window": { list: "A:id:", why: "whose window is no" },
  "a window with a unit": { list: "A:id:100ms", why: "whose window is no" },
  "a negative window": { list: "A:id:-100", why: "whose window is no" },
  "a fraction as window": { list: "A:id:100.5", why: "whose window is no" },
  "hexadecimal digits": { list: "A:id:0x64", why: "whose window is no" },
  "an exponent": { list: "A:id:1e3", why: "whose window is no" },
  "a space before the window": { list: "A:id: 100", why: "whose window is no" },
  "two rules for one type": { list: "A:id:100,A:other:200", why: "holds two rules for the type A" },
  "the same rule twice": { list: "A:id:100,B:id:100,A:id:100", why: "holds two rules for the type A" },
  "33 rules": { list: ruleList(33), why: "holds more than 32 rules" },
};

describe("parseConflation", () => {
  for (const [name, { list, rules }] of Object.entries(READ)) {
    test(`reads ${name}`, () => {
      const expected = rules.map(([type, key, windowMs]) => ({ type, key, windowMs }));
      expect(parseConflation(list)).toEqual({ ok: true, rules: expected });
    });
  }

  test("reads 32 rules", () => {
    const parsed = parseConflation(ruleList(32));
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed.ok && parsed.rules.length).toBe(32);
  });

  for (const [name, { list, why }] of Object.entries(REFUSED)) {
    test(`refuses ${name}`, () => {
      expect(parseConflation(list)).toEqual({ ok: false, why: expect.stringContaining(why) });
    });
  }
});

describe("formatConflation", () => {
  for (const list of ["", "DOC_PROGRESS:doc_id:100", "doc:progress:doc_id:10,B:doc id:60000"]) {
    test(`writes ${JSON.stringify(list)} as it was read`, () => {
      const parsed = parseConflation(list);
      expect(parsed.ok && formatConflation(parsed.rules)).toBe(list);
    });
  }
});
