import { encodeFrame, OPCODE } from "../../../support/frame.ts";
import type { Case, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import { close, first, last, ping, text } from "../support/frames.ts";
import { TEXT_PONG } from "../support/outcome.ts";

const PROTOCOL_ERROR = ["close 1002", "end"];
const closeWith = (payload: Uint8Array): Uint8Array => encodeFrame({ opcode: OPCODE.close, payload });

/** 7.4.1, and the codes that IANA's registry has taken up since. */
const VALID = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4999,
];
const valid: Case[] = VALID.map((code) =>
  exchange({
    title: `${code} is answered with the same code`,
    send: [close(code)],
    expected: [`close ${code}`, "end"],
  }),
);

/** Below 1000: not used. 1004, and 1016 to 2999: reserved. 1005, 1006, 1015: never on the wire. 5000 on: undefined. */
const INVALID = [
  0, 1, 255, 256, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 9999, 32_768, 65_535,
];
const invalid: Case[] = INVALID.map((code) =>
  exchange({
    title: `${code} is no code that a peer may send`,
    send: [close(code)],
    expected: PROTOCOL_ERROR,
  }),
);

const bodies: Case[] = [
  exchange({
    title: "no code is answered without a code",
    send: [encodeFrame({ opcode: OPCODE.close })],
    expected: ["close 1005", "end"],
  }),
  ...[0x00, 0x03, 0xff].map((byte) =>
    exchange({
      title: `a body of the one byte ${byte.toString(16)}`,
      send: [closeWith(Uint8Array.of(byte))],
      expected: PROTOCOL_ERROR,
    }),
  ),
];

const REASONS: Readonly<Record<string, string>> = {
  "of 1 byte": "x",
  "of 122 bytes": "x".repeat(122),
  "of 123 bytes": "x".repeat(123),
  "of 123 bytes in characters of three": "鍵".repeat(41),
  "with characters of two, three and four bytes": "é鍵🔑",
  "with NUL and line ends": "a\0b\r\nc",
};
const reasons: Case[] = Object.entries(REASONS).map(([name, reason]) =>
  exchange({
    title: `1000 with a reason ${name}`,
    send: [close(1000, reason)],
    expected: [`close 1000 ${reason}`, "end"],
  }),
);

const BAD_REASONS: Readonly<Record<string, Uint8Array>> = {
  "a lone continuation byte": Uint8Array.of(0x80),
  "a character cut short": Uint8Array.of(0x61, 0xf0, 0x9f, 0x94),
  "an overlong encoding": Uint8Array.of(0xc0, 0xaf),
  "an encoded surrogate": Uint8Array.of(0xed, 0xa0, 0x80),
  "a code point above 10FFFF": Uint8Array.of(0xf4, 0x90, 0x80, 0x80),
  "FF as the last of 123 bytes": Buffer.concat([Buffer.alloc(122, "x"), Uint8Array.of(0xff)]),
};
const badReasons: Case[] = Object.entries(BAD_REASONS).map(([name, reason]) =>
  exchange({
    title: `1000 with a reason that has ${name}`,
    send: [closeWith(Buffer.concat([Uint8Array.of(0x03, 0xe8), reason]))],
    expected: ["close 1007", "end"],
  }),
);

const DONE = ["close 1000", "end"];
const behind: Case[] = [
  { title: "a ping", send: [close(1000), ping("late")] },
  { title: "a text", send: [close(1000), text("ping")] },
  { title: "a worker's message", send: [close(1000), text('{"late":1}')] },
  { title: "another close", send: [close(1000), close(1001)] },
  { title: "a hundred closes", send: Array.from({ length: 100 }, () => close(1000)) },
  { title: "a frame without a mask", send: [close(1000), text("ping", { mask: false })] },
  { title: "bytes that are no frame", send: [close(1000), Buffer.alloc(500, 0xff)] },
  { title: "half a frame", send: [close(1000), text("ping").subarray(0, 7)] },
  { title: "a start of a message", send: [close(1000), first("{"), last("}")] },
].map(({ title, send }) =>
  exchange({ title: `${title} behind a close has no effect`, as: "worker", send, expected: DONE }),
);

const cuts: Case[] = [1, 2, 5, 6, 7, 8, 9, 12].map((at) =>
  exchange({
    title: `a close with a reason, cut behind byte ${at}`,
    send: [close(1000, "reason")],
    pacing: at,
    expected: ["close 1000 reason", "end"],
  }),
);

const rest: Case[] = [
  exchange({
    title: "a close, byte by byte",
    send: [close(4321, "é鍵🔑")],
    pacing: "bytes",
    expected: ["close 4321 é鍵🔑", "end"],
  }),
  exchange({
    title: "messages before a close are taken",
    send: [text("ping"), text("ping"), close(1000)],
    expected: [TEXT_PONG, TEXT_PONG, ...DONE],
  }),
  exchange({
    title: "a close amid a message",
    as: "worker",
    send: [first('{"a":'), close(1000)],
    expected: DONE,
  }),
  exchange({
    title: "a worker's close",
    as: "worker",
    send: [close(1001, "bye")],
    expected: ["close 1001 bye", "end"],
  }),
];

export const CLOSING: Section = {
  section: "7.4",
  title: "Close frames and status codes (5.5.1, 7.1, 7.4)",
  cases: [...valid, ...invalid, ...bodies, ...reasons, ...badReasons, ...behind, ...cuts, ...rest],
};
