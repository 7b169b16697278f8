import { expect, test } from "bun:test";
import { layOut } from "../../../src/console/json-text.ts";
import { createRandom, type Random } from "../../support/random.ts";

// A message laid out over lines, from its text.

const shown = (json: string): string | undefined =>
  layOut(json)
    ?.map(({ text }) => text)
    .join("");

function someValue(random: Random, depth: number): unknown {
  const kind = random.below(depth > 3 ? 3 : 5);
  if (kind === 0) return random.pick([0, -1, 1.5e300, true, false, null]);
  if (kind <= 2) return random.text(random.below(6));
  const members = Array.from({ length: random.below(4) }, (_, i) => [
    `${random.text(2)}${i}`,
    someValue(random, depth + 1),
  ]);
  return kind === 3 ? members.map(([, value]) => value) : Object.fromEntries(members);
}

test("where no digit is at stake it is what JSON.stringify would write, whatever the spacing before", () => {
  const random = createRandom(6);
  for (let round = 0; round < 2_000; round += 1) {
    const value = { value: someValue(random, 0) };
    const expected = JSON.stringify(value, null, 2);
    for (const spacing of [0, 1, "\t"]) expect(shown(JSON.stringify(value, null, spacing))).toBe(expected);
  }
});

test("numbers, escapes and doubled keys stay as they were sent", () => {
  expect(shown('{"a":9007199254740993,"a":1.0,"b":-0,"c":1E+2,"d":"\\u0041\\/","e":{ },"f":[ ]}')).toBe(
    '{\n  "a": 9007199254740993,\n  "a": 1.0,\n  "b": -0,\n  "c": 1E+2,\n  "d": "\\u0041\\/",\n  "e": {},\n  "f": []\n}',
  );
});

test("keys are told from strings", () => {
  const kinds = layOut('{"a":"a","b":["b",1,true]}')?.filter(
    ({ kind }) => kind !== "space" && kind !== "mark",
  );
  expect(kinds?.map(({ kind }) => kind)).toEqual(["key", "string", "key", "string", "number", "word"]);
});

test("what is cut off, and what would grow without measure, is left as it came", () => {
  expect(shown('{"a":1')).toBeUndefined();
  expect(shown('{"a":"x')).toBeUndefined();
  expect(shown("[".repeat(500_000) + "]".repeat(500_000))).toBeUndefined();
  expect(shown(`{"a":"${"x".repeat(1_000_000)}"}`)).toHaveLength(1_000_013);
});
