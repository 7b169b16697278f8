import { describe, expect, test } from "bun:test";
import { memberText } from "../../src/protocol/member.ts";
import { createRandom, type Random } from "../support/random.ts";

// The text of a member's value, as it stands in the JSON, because reading it and writing it again would change it.

const CASES: readonly [what: string, json: string, found: string | undefined][] = [
  ["a number", '{"data":1}', "1"],
  ["a number that reading would change", '{"data":9007199254740993}', "9007199254740993"],
  ["1.0 and 1e400", '{"x":1e400,"data":1.0}', "1.0"],
  ["negative zero and an exponent", '{"data":-0.0E-7}', "-0.0E-7"],
  ["a literal", '{"data":null}', "null"],
  ["true beside false", '{"data":true,"x":false}', "true"],
  ["a string", '{"data":"x"}', '"x"'],
  ["an empty string", '{"data":""}', '""'],
  ["an empty object", '{"data":{}}', "{}"],
  ["an empty array", '{"data":[]}', "[]"],
  ["white space around everything", ' \n{ \t"data" \r\n: \n{ "a" : 1 }\t}\n', '{ "a" : 1 }'],
  ["white space inside is kept", '{"data":[ 1 ,\r\n\t2 ]}', "[ 1 ,\r\n\t2 ]"],
  ["a nested object", '{"data":{"data":{"data":1}},"x":2}', '{"data":{"data":1}}'],
  ["nested members of the name before it", '{"x":{"data":1},"y":[{"data":2}],"data":3}', "3"],
  ["only nested members of the name", '{"x":{"data":1},"y":["data",2]}', undefined],
  ["a value that reads like the name", '{"x":"data","data":1}', "1"],
  ["a value that looks like a member", '{"x":"\\"data\\":2","data":1}', "1"],
  ["strings with braces, brackets, commas and colons", '{"x":"}],{:[","data":"{}}]]:,"}', '"{}}]]:,"'],
  ["a string that ends in a backslash", '{"x":"\\\\","data":"\\\\"}', '"\\\\"'],
  ["quotes behind backslashes", '{"x":"\\\\\\"}","data":"a\\"b\\\\"}', '"a\\"b\\\\"'],
  ["a lone surrogate, escaped", '{"data":"\\ud800"}', '"\\ud800"'],
  ["characters beyond the BMP", '{"😀":1,"data":"😀"}', '"😀"'],
  ["a line separator, raw", '{"data":"\u2028\u00a0"}', '"\u2028\u00a0"'],
  ["duplicate keys: the last, as JSON.parse has it", '{"data":1,"x":2,"data":[3]}', "[3]"],
  ["a key written with escapes", '{"d\\u0061ta":1}', "1"],
  ["a key written with escapes, after a plain one", '{"data":1,"\\u0064\\u0061\\u0074\\u0061":2}', "2"],
  ["a key that only contains the name", '{"data2":1,"xdata":2,"data ":3,"Data":4}', undefined],
  ["a key with a quote", '{"da\\"ta":1,"data":2}', "2"],
  ["the empty key", '{"":1}', undefined],
  ["no members", "{}", undefined],
  ["no members, with white space", "  {  }  ", undefined],
  ["many members before it", `{${'"x":[{"y":"}"}],'.repeat(1000)}"data":7}`, "7"],
  ["many members after it", `{"data":7${',"x":[{"y":"}"}]'.repeat(1000)}}`, "7"],
];

test.each(CASES)("%s", (_what, json, found) => {
  expect(() => JSON.parse(json)).not.toThrow();
  expect(memberText(json, "data")).toBe(found);
});

describe("other names", () => {
  const names = ["__proto__", "constructor", "toString", "", 'a"b', "a\\b", "é", "\u0000", "😀", "ref"];
  test.each(names)("%j", (name) => {
    const json = `{"x":0,${JSON.stringify(name)}:{"in":1}}`;
    expect(memberText(json, name)).toBe('{"in":1}');
    expect(memberText('{"x":0}', name)).toBeUndefined();
  });
});

describe("large texts", () => {
  test("a value of a megabyte", () => {
    const value = JSON.stringify("}".repeat(500_000) + '"'.repeat(250_000));
    expect(memberText(`{"x":1,"data":${value},"y":2}`, "data")).toBe(value);
  });

  test("a hundred thousand levels deep", () => {
    const value = "[".repeat(100_000) + "]".repeat(100_000);
    expect(memberText(`{"data":${value},"y":2}`, "data")).toBe(value);
    expect(memberText(`{"x":${value},"data":2}`, "data")).toBe("2");
  });
});

/** JSON text put together from pieces, in ways in which JSON.stringify would never write it. */
function createWriter(random: Random) {
  const space = (): string => random.pick(["", "", "", " ", "\n", "\t", "\r\n", "  \t"]);
  const char = (): string =>
    random.pick([
      "a",
      "é",
      "😀",
      "\u2028",
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '\\"',
      "\\\\",
      "\\n",
      "\\u0022",
      "\\ud800",
    ]);
  const string = (): string => `"${Array.from({ length: random.below(6) }, char).join("")}"`;
  const scalar = (): string =>
    random.pick(["0", "-0.0", "1e5", "12345678901234567890", "1.0", "true", "false", "null", string()]);
  const list = (item: () => string): string =>
    Array.from({ length: random.below(4) }, () => `${space()}${item()}${space()}`).join(",") || space();

  const value = (depth: number): string => {
    const kind = depth === 0 ? 0 : random.below(3);
    if (kind === 0) return scalar();
    if (kind === 1) return `[${list(() => value(depth - 1))}]`;
    return `{${list(() => `${key()}${space()}:${space()}${value(depth - 1)}`)}}`;
  };
  /** The name itself in all its spellings, names that are nearly it, and anything else. */
  const key = (): string =>
    random.pick([
      '"data"',
      '"d\\u0061ta"',
      '"\\u0064ata"',
      '"dat"',
      '"data\\u0000"',
      '"x"',
      '"type"',
      string(),
    ]);
  return { space, key, value };
}

test("any text that JSON takes, against the pieces it was put together from", () => {
  const seed = Number(process.env["SEED"] ?? 1);
  const random = createRandom(seed);
  const { space, key, value } = createWriter(random);
  let present = 0;
  for (let round = 0; round < 5_000; round++) {
    const members = Array.from({ length: random.below(7) }, () => [key(), value(random.below(4))] as const);
    const written = members.map(([name, text]) => `${space()}${name}${space()}:${space()}${text}${space()}`);
    const json = `${space()}{${written.join(",") || space()}}${space()}`;
    const expected = members.findLast(([name]) => JSON.parse(name) === "data")?.[1];
    if (expected !== undefined) present++;
    const about = { seed, round, json };
    expect({ ...about, text: memberText(json, "data") }).toEqual({ ...about, text: expected });
    const parsed: Record<string, unknown> = JSON.parse(json);
    if (expected !== undefined) expect(JSON.parse(expected)).toEqual(parsed["data"]);
  }
  expect(present).toBeGreaterThan(1_000);
});
