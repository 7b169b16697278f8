import type { Case, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import { first, last, text } from "../support/frames.ts";
import { delivered, TEXT_PONG } from "../support/outcome.ts";

const hex = (digits: string): Buffer => Buffer.from(digits, "hex");
/** A worker's message with these bytes in a string. */
const around = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('{"s":"'), bytes, Buffer.from('"}')]);

const VALID: Readonly<Record<string, string>> = {
  "U+0020, the first that JSON takes as it is": "20",
  "U+007F": "7f",
  "U+0080, the first of two bytes": "c280",
  "U+07FF, the last of two bytes": "dfbf",
  "U+0800, the first of three bytes": "e0a080",
  "U+1000": "e18080",
  "U+D7FF, the last before the surrogates": "ed9fbf",
  "U+E000, the first behind the surrogates": "ee8080",
  "U+FEFF, a byte order mark": "efbbbf",
  "U+FFFD, the replacement character": "efbfbd",
  "U+FFFE, a noncharacter": "efbfbe",
  "U+FFFF, a noncharacter, the last of three bytes": "efbfbf",
  "U+10000, the first of four bytes": "f0908080",
  "U+1FFFF, a noncharacter": "f09fbfbf",
  "U+3FFFF": "f0bfbfbf",
  "U+40000": "f1808080",
  "U+FFFFF": "f3bfbfbf",
  "U+100000": "f4808080",
  "U+10FFFF, the last": "f48fbfbf",
  "U+2028 and U+2029": "e280a8e280a9",
  "a letter with a combining mark": "65cc81",
  "five symbols joined to one": Buffer.from("👩‍❤️‍💋‍👨").toString("hex"),
  Greek: Buffer.from("κόσμε").toString("hex"),
};
const valid: Case[] = Object.entries(VALID).map(([name, digits]) =>
  exchange({
    title: `${name} is forwarded byte for byte`,
    as: "worker",
    send: [text(around(hex(digits)))],
    expected: ["open", delivered(around(hex(digits)).toString())],
  }),
);

const INVALID: Readonly<Record<string, string>> = {
  "a lone continuation byte 80": "80",
  "a lone continuation byte BF": "bf",
  "two lone continuation bytes": "8080",
  "a continuation byte too many": "c2a980",
  "C0 80, an overlong NUL": "c080",
  "C0 AF, an overlong slash": "c0af",
  "C1 BF, an overlong U+007F": "c1bf",
  "E0 80 AF, an overlong slash": "e080af",
  "E0 9F BF, an overlong U+07FF": "e09fbf",
  "F0 80 80 AF, an overlong slash": "f08080af",
  "F0 8F BF BF, an overlong U+FFFF": "f08fbfbf",
  "F8 88 80 80 80, five bytes": "f888808080",
  "FC 84 80 80 80 80, six bytes": "fc8480808080",
  "U+D800, the first surrogate": "eda080",
  "U+DBFF, the last high surrogate": "edafbf",
  "U+DC00, the first low surrogate": "edb080",
  "U+DFFF, the last surrogate": "edbfbf",
  "a pair of surrogates": "eda0bdedb491",
  "U+110000, the first that is none": "f4908080",
  "U+13FFFF": "f48fbfbff4bfbfbf",
  "F5, which begins no character": "f5808080",
  FE: "fe",
  FF: "ff",
  "the first of two bytes, alone": "c3",
  "two of three bytes": "e98d",
  "three of four bytes": "f09f94",
  "the first of two bytes before a letter": "c328",
  "the second of three bytes is a letter": "e928a1",
  "the third of three bytes is a letter": "e28228",
  "the second of four bytes is a letter": "f0288cbc",
  "the fourth of four bytes is a letter": "f09f9428",
  "two characters begun": "c3c3",
};
const invalid: Case[] = Object.entries(INVALID).flatMap(([name, digits]) => [
  exchange({
    title: `${name}: a client's`,
    send: [text(hex(digits))],
    expected: ["close 1007", "end"],
  }),
  exchange({
    title: `${name}: in a worker's message`,
    as: "worker",
    send: [text(around(hex(digits)))],
    expected: ["close 1007", "end"],
  }),
]);

/** Characters of one to four bytes. */
const MIXED = around(Buffer.from("aé鍵🔑z"));
const CUTS = Array.from({ length: MIXED.length - 1 }, (_, index) => index + 1);
const inFragments: Case[] = CUTS.map((at) =>
  exchange({
    title: `characters of 1 to 4 bytes in two fragments, cut behind byte ${at}`,
    as: "worker",
    send: [first(MIXED.subarray(0, at)), last(MIXED.subarray(at))],
    expected: ["open", delivered(MIXED.toString())],
  }),
);
const HEAD_BYTES = 6;
const inSegments: Case[] = CUTS.map((at) =>
  exchange({
    title: `the same in two TCP segments, cut behind byte ${at}`,
    as: "worker",
    send: [text(MIXED)],
    pacing: HEAD_BYTES + at,
    expected: ["open", delivered(MIXED.toString())],
  }),
);

/** κόσμε and an encoded surrogate: Autobahn's sample. */
const BROKEN = hex("cebae1bdb9cf83cebcceb5eda080656469746564");
const BROKEN_CUTS = Array.from({ length: BROKEN.length - 1 }, (_, index) => index + 1);
const brokenInFragments: Case[] = BROKEN_CUTS.map((at) =>
  exchange({
    title: `invalid UTF-8 in two fragments, cut behind byte ${at}`,
    send: [first(BROKEN.subarray(0, at)), last(BROKEN.subarray(at))],
    expected: ["close 1007", "end"],
  }),
);
const brokenInSegments: Case[] = [5, 10, 11, 12, 13, 14].map((at) =>
  exchange({
    title: `invalid UTF-8 in two TCP segments, cut behind byte ${at}`,
    send: [text(BROKEN)],
    pacing: HEAD_BYTES + at,
    expected: ["close 1007", "end"],
  }),
);

const rest: Case[] = [
  exchange({
    title: "a character begun in one message is not ended in the next",
    send: [text("ping"), text(hex("f09f")), text(hex("9491"))],
    expected: [TEXT_PONG, "close 1007", "end"],
  }),
  exchange({
    title: "each byte of the characters in a fragment of its own, byte by byte",
    as: "worker",
    send: [
      first(),
      ...[...MIXED.subarray(0, -1)].map((byte) => text(Uint8Array.of(byte), { fin: false })).map(asMiddle),
      last(MIXED.subarray(-1)),
    ],
    pacing: "bytes",
    expected: ["open", delivered(MIXED.toString())],
  }),
  ...[127, 128, 65_536, 200_000].map((bytes) => {
    const message = around(Buffer.concat([Buffer.alloc(bytes - 12, "x"), Buffer.from("🔑")]));
    return exchange({
      title: `a character of four bytes at the end of ${bytes} bytes`,
      as: "worker",
      send: [text(message)],
      expected: ["open", delivered(message.toString())],
    });
  }),
  ...[127, 128, 65_536, 200_000].map((bytes) =>
    exchange({
      title: `FF as the last of ${bytes} bytes`,
      send: [text(Buffer.concat([Buffer.alloc(bytes - 1, "x"), hex("ff")]))],
      expected: ["close 1007", "end"],
    }),
  ),
];

/** The same frame as a continuation. */
function asMiddle(frame: Uint8Array): Uint8Array {
  frame[0] = 0x00;
  return frame;
}

export const UTF8: Section = {
  section: "8.1",
  title: "UTF-8",
  cases: [
    ...valid,
    ...invalid,
    ...inFragments,
    ...inSegments,
    ...brokenInFragments,
    ...brokenInSegments,
    ...rest,
  ],
};
