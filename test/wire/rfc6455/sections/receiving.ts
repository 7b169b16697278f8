import type { Case, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import { close, first, fragments, last, objectOf, ping, pongFrame, text } from "../support/frames.ts";
import { delivered, pong, TEXT_PONG } from "../support/outcome.ts";

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `{"n":${index}}`);

const many: Case[] = [2, 10, 100, 1000].map((count) =>
  exchange({
    title: `${count} messages in one write arrive one by one, in order`,
    as: "worker",
    send: numbered(count).map((message) => text(message)),
    expected: ["open", ...numbered(count).map(delivered)],
  }),
);

/** A bit of everything that is allowed. */
const MIXTURE = [
  text("ping"),
  ping("1"),
  first('{"a":'),
  ping("2"),
  last("1}"),
  pongFrame("x"),
  text(objectOf(126)),
  text("no JSON"),
  text("[]"),
  text("null"),
  text('{"n":NaN}'),
  ...fragments('{"b":[1.0, 2]}', 5),
  text("ping"),
  text(objectOf(700)),
];
const ANSWERS = [TEXT_PONG, pong("1"), pong("2"), TEXT_PONG];
const MESSAGES = ['{"a":1}', objectOf(126), '{"b":[1.0, 2]}', objectOf(700)].map(delivered);
const SIZE = Buffer.concat(MIXTURE).length;

const mixture: Case[] = (["together", "bytes", 1, 13, 14, 50, 200, SIZE - 1] as const).map((pacing) =>
  exchange({
    title: `frames of all kinds, ${
      pacing === "together" ? "at once" : pacing === "bytes" ? "byte by byte" : `cut behind byte ${pacing}`
    }`,
    as: "worker",
    send: MIXTURE,
    pacing,
    expected: [...ANSWERS, "open", ...MESSAGES],
  }),
);

const beforeAnEnd: Case[] = [
  exchange({
    title: "what stands before a close is taken, what stands behind it is not",
    as: "worker",
    send: [...MIXTURE, close(1000), text('{"late":1}'), text("ping")],
    expected: [...ANSWERS, "close 1000", "end", ...MESSAGES],
  }),
  exchange({
    title: "what stands before a protocol error is taken, what stands behind it is not",
    as: "worker",
    send: [...MIXTURE, text("ping", { rsv: 4 }), text('{"late":1}'), text("ping")],
    expected: [...ANSWERS, "close 1002", "end", ...MESSAGES],
  }),
  exchange({
    title: "what stands before invalid UTF-8 is taken, what stands behind it is not",
    as: "worker",
    send: [...MIXTURE, text(Uint8Array.of(0xff)), text('{"late":1}'), text("ping")],
    expected: [...ANSWERS, "close 1007", "end", ...MESSAGES],
  }),
  exchange({
    title: "what stands before too long a message is taken, what stands behind it is not",
    as: "worker",
    send: [...MIXTURE, text("", { declaredLength: 1n << 40n }), text('{"late":1}'), text("ping")],
    expected: [...ANSWERS, "close 1009", "end", ...MESSAGES],
  }),
];

const NO_MESSAGES: Readonly<Record<string, string>> = {
  nothing: "",
  "white space": " \r\n",
  "an array": "[1]",
  "a number": "1",
  "a string": '"a"',
  null: "null",
  NaN: '{"n":NaN}',
  "half an object": '{"a":1',
  "two objects": "{}{}",
  "a byte order mark before an object": "\u{feff}{}",
  "a raw line end in a string": '{"s":"a\nb"}',
  "a raw NUL in a string": '{"s":"a\0b"}',
};
const noMessages: Case[] = Object.entries(NO_MESSAGES).map(([name, message]) =>
  exchange({
    title: `a worker's text that is no message (${name}) is dropped and the connection stays`,
    as: "worker",
    send: [text(message), text("ping"), text('{"next":1}')],
    expected: [TEXT_PONG, "open", delivered('{"next":1}')],
  }),
);

const verbatim: Case[] = Object.entries({
  "white space around": ' \t\r\n{"a" : 1 }\n',
  "numbers as they are written":
    '{"a":1.0,"b":1e400,"c":-0,"d":9223372036854775807,"e":0.1000000000000000055}',
  "a key twice": '{"a":1,"a":2}',
  escapes: '{"s":"\\ud83d\\udd11\\u0000\\/\\ud800"}',
  "deep nesting": `{"a":${"[".repeat(500)}${"]".repeat(500)}}`,
}).map(([name, message]) =>
  exchange({
    title: `a message is forwarded byte for byte: ${name}`,
    as: "worker",
    send: [text(message)],
    expected: ["open", delivered(message)],
  }),
);

export const RECEIVING: Section = {
  section: "6.2",
  title: "Receiving Data: many frames, in any segments",
  cases: [...many, ...mixture, ...beforeAnEnd, ...noMessages, ...verbatim],
};
