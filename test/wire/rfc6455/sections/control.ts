import { encodeFrame, OPCODE } from "../../../support/frame.ts";
import type { Case, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import { first, last, ping, pongFrame, text } from "../support/frames.ts";
import { pong, TEXT_PONG } from "../support/outcome.ts";

const PROTOCOL_ERROR = ["close 1002", "end"];

const lengths: Case[] = [34, 63, 64, 65, 100, 123, 124, 125].map((bytes) =>
  exchange({
    title: `a ping of ${bytes} bytes is answered with them`,
    send: [ping("a".repeat(bytes))],
    expected: [pong("a".repeat(bytes)), "open"],
  }),
);

const bytesFrom = (start: number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, index) => start + index);
const PAYLOADS: Readonly<Record<string, Uint8Array>> = {
  NUL: Uint8Array.of(0),
  "the bytes 00-7C": bytesFrom(0, 125),
  "the bytes 7D-F9": bytesFrom(125, 125),
  "the bytes FA-FF": bytesFrom(250, 6),
  "a lone continuation byte": Uint8Array.of(0x80),
  "half a character": Uint8Array.of(0xf0, 0x9f, 0x94),
  "an encoded surrogate": Uint8Array.of(0xed, 0xa0, 0x80),
  "a byte order mark": Uint8Array.of(0xef, 0xbb, 0xbf),
  "line ends": Buffer.from("\r\n\n\r"),
  "what looks like a close frame": Uint8Array.of(0x88, 0x02, 0x03, 0xe8),
};
const payloads: Case[] = Object.entries(PAYLOADS).map(([name, payload]) =>
  exchange({
    title: `a ping with ${name} is answered byte for byte`,
    send: [ping(payload)],
    expected: [pong(payload), "open"],
  }),
);

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `ping ${index}`);
const several: Case[] = [2, 10, 200].map((count) =>
  exchange({
    title: `${count} pings are answered one by one, in order`,
    send: numbered(count).map((payload) => ping(payload)),
    expected: [...numbered(count).map(pong), "open"],
  }),
);

const pongs: Case[] = Object.entries({
  "an empty pong": [pongFrame()],
  "a pong": [pongFrame("hello")],
  "a pong of 125 bytes": [pongFrame("a".repeat(125))],
  "a pong that is no UTF-8": [pongFrame(Uint8Array.of(0xff, 0xc0))],
  "a hundred pongs": Array.from({ length: 100 }, () => pongFrame("hello")),
  "a pong that says ping": [pongFrame("ping")],
}).map(([title, send]) =>
  exchange({
    title: `${title}, unasked, has no effect`,
    send: [...send, text("ping")],
    expected: [TEXT_PONG, "open"],
  }),
);

const order: Case[] = [
  exchange({
    title: "pings and messages are answered in their order",
    send: [ping("1"), text("ping"), ping("2"), text("ping"), pongFrame("x"), ping("3")],
    expected: [pong("1"), TEXT_PONG, pong("2"), TEXT_PONG, pong("3"), "open"],
  }),
];

const tooLong: Case[] = ([OPCODE.ping, OPCODE.pong, OPCODE.close] as const).flatMap((opcode) => {
  const name = { 9: "ping", 10: "pong", 8: "close" }[opcode];
  // A close begins with a code: its length must be what is wrong with it.
  const payload = (bytes: number): Uint8Array =>
    Buffer.alloc(bytes, "a").fill(Uint8Array.of(0x03, 0xe8), 0, 2);
  return [126, 127, 65_535, 65_536].map((bytes) =>
    exchange({
      title: `a ${name} of ${bytes} bytes`,
      send: [encodeFrame({ opcode, payload: payload(bytes) })],
      expected: PROTOCOL_ERROR,
    }),
  );
});

const fragmented: Case[] = ([OPCODE.ping, OPCODE.pong, OPCODE.close] as const).flatMap((opcode) => {
  const name = { 9: "ping", 10: "pong", 8: "close" }[opcode];
  const start = encodeFrame({ opcode, fin: false });
  return [
    exchange({ title: `an empty ${name} without FIN`, send: [start], expected: PROTOCOL_ERROR }),
    exchange({ title: `a ${name} in two fragments`, send: [start, last()], expected: PROTOCOL_ERROR }),
    exchange({
      title: `a ${name} without FIN, inside a message`,
      send: [first("pi"), start, last("ng")],
      expected: PROTOCOL_ERROR,
    }),
  ];
});

const slow: Case[] = [
  exchange({
    title: "a ping of 125 bytes, byte by byte",
    send: [ping("a".repeat(125))],
    pacing: "bytes",
    expected: [pong("a".repeat(125)), "open"],
  }),
  ...[1, 2, 3, 4, 5, 6, 7, 10].map((at) =>
    exchange({
      title: `a ping of 5 bytes, cut behind byte ${at}`,
      send: [ping("hello")],
      pacing: at,
      expected: [pong("hello"), "open"],
    }),
  ),
];

export const CONTROL: Section = {
  section: "5.5",
  title: "Control Frames",
  cases: [...lengths, ...payloads, ...several, ...pongs, ...order, ...tooLong, ...fragmented, ...slow],
};
