import type { Random } from "../../support/random.ts";
import { oneIn, several } from "./bytes.ts";

// JSON texts (RFC 8259), right ones and wrong ones. Texts and not values: what matters is how they are written.

const NUMBERS = [
  "0",
  "-0",
  "1",
  "-1",
  "1.0",
  "1e3",
  "1E+400",
  "-1e-400",
  "9007199254740993",
  "18446744073709551616",
  "0.1",
  "123456789012345678901234567890",
  `1${"0".repeat(400)}`,
] as const;
const NO_NUMBERS = ["NaN", "Infinity", "-", "01", "1.", ".5", "+1", "0x10", "1e", "1_000"] as const;
const STRINGS = [
  '""',
  '"a"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
  '"\u2028\u2029"',
  '"\u{1f40d}"',
  '"é"',
  '"\\ud83d\\ude00"',
  '"</script>"',
  '"data: x\\n\\nid: 1"',
  '"__proto__"',
] as const;
const NO_STRINGS = ['"', "'a'", '"\\x"', '"\\u12"', '"\n"', '"\0"', '"\\"', "“a”"] as const;
const KEYS = [
  "type",
  "data",
  "id",
  "ref",
  "key",
  "metadata",
  "status",
  "a",
  "",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "\\u0074ype",
  "\\u0064ata",
  "hasOwnProperty",
  "0",
  "é",
] as const;
const SPACES = ["", "", "", "", " ", "\n", "\r\n", "\t", "  "] as const;
const NO_SPACES = ["\u00a0", "\ufeff", "\f", "\v", "//x\n", "/**/", "\u2028"] as const;

/** The deepest nesting that is tried: more than most parsers take. */
const DEPTHS = [10, 500, 5_000, 40_000, 200_000] as const;

/** Mostly valid: of so many small parts one is wrong. */
const WRONG_ONE_IN = 60;

/** Any value. `depth` bounds how far it nests. */
export function jsonValue(random: Random, depth = 3): string {
  if (oneIn(random, 400)) return nested(random);
  switch (random.below(depth > 0 ? 8 : 5)) {
    case 0:
      return random.pick(oneIn(random, WRONG_ONE_IN) ? NO_NUMBERS : NUMBERS);
    case 1:
    case 2:
      return jsonString(random);
    case 3:
      return random.pick(["true", "false", "null"]);
    case 4:
      return oneIn(random, WRONG_ONE_IN) ? random.pick(["undefined", "tru", "", "nulls", "{", "]"]) : "null";
    case 5:
    case 6:
      return jsonObject(random, {}, depth - 1);
    default:
      return `[${several(random, 0, 4, () => padded(random, jsonValue(random, depth - 1))).join(",")}${comma(random)}]`;
  }
}

export function jsonString(random: Random): string {
  if (oneIn(random, WRONG_ONE_IN)) return random.pick(NO_STRINGS);
  if (oneIn(random, 3)) return random.pick(STRINGS);
  // Well-formed: a lone surrogate can only come as an escape.
  return JSON.stringify(random.text(random.below(12)));
}

/** An object of these members and a few more, in any order, now and then one of them twice. */
export function jsonObject(random: Random, members: Readonly<Record<string, string>>, depth = 2): string {
  const entries = Object.entries(members).map(([key, value]): [string, string] => [`"${key}"`, value]);
  for (let left = random.below(4); left > 0; left -= 1) {
    entries.splice(random.below(entries.length + 1), 0, [`"${random.pick(KEYS)}"`, jsonValue(random, depth)]);
  }
  const [first] = entries;
  if (first !== undefined && oneIn(random, 8)) {
    entries.splice(random.below(entries.length + 1), 0, [first[0], jsonValue(random, depth)]);
  }
  if (oneIn(random, 4)) entries.reverse();
  const text = entries
    .map(([key, value]) => padded(random, `${key}${space(random)}:${padded(random, value)}`))
    .join(",");
  return `{${text}${entries.length > 0 ? comma(random) : ""}}`;
}

/** White space around a text, of the kinds that JSON knows and rarely of others. */
function padded(random: Random, text: string): string {
  return `${space(random)}${text}${space(random)}`;
}

function space(random: Random): string {
  return oneIn(random, WRONG_ONE_IN * 10) ? random.pick(NO_SPACES) : random.pick(SPACES);
}

function comma(random: Random): string {
  return oneIn(random, WRONG_ONE_IN) ? "," : "";
}

function nested(random: Random): string {
  const depth = random.pick(DEPTHS);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
  ] as const);
  const inner = open === "[" ? "" : "1";
  return open.repeat(depth) + inner + close.repeat(oneIn(random, 4) ? depth - 1 : depth);
}

/** A message (PROTOCOL.md, section 0): mostly an object, its type mostly harmless. */
export function message(random: Random): string {
  if (oneIn(random, 12)) return jsonValue(random);
  if (oneIn(random, 15)) return padded(random, forgery(random));
  const type = oneIn(random, 6)
    ? jsonValue(random, 1)
    : `"${random.pick(["DOC_UPDATE", "DOC_PROGRESS", "A", "x:y.z-1"])}"`;
  return padded(random, jsonObject(random, oneIn(random, 10) ? {} : { type }));
}

/** What only the hub or a worker's socket may say. The member `forged` is how a witness knows it, should it come through. */
function forgery(random: Random): string {
  const name = random.pick([
    "WORKER_STATUS",
    "REGISTER_WORKER",
    "WORKER\\u005fSTATUS",
    "\\u0057ORKER_STATUS",
  ]);
  const type = `"type":"${name}"`;
  return random.pick([
    `{${type},"status":"offline","metadata":null,"forged":1}`,
    `{"forged":1,"type":"A",${type},"status":"online","metadata":{}}`,
    `{${type.replace("type", "\\u0074ype")},"forged":1}`,
    `{"forged":1,"data":{"type":"A"},${type}}`,
  ]);
}
