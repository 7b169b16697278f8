import { encodeFrame, type FrameSpec, OPCODE } from "../../../support/frame.ts";
import type { Case, Deviation, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import { objectOf, ping, text } from "../support/frames.ts";
import { delivered, TEXT_PONG } from "../support/outcome.ts";

const LIMIT_BYTES = 1_048_576;
const BOUNDARIES = [0, 1, 2, 8, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537];
const AT_LIMIT = [LIMIT_BYTES - 1, LIMIT_BYTES];

/** Lengths below that of the shortest JSON object cannot be delivered; that they were understood shows behind them. */
const sized = (bytes: number): string => (bytes < 2 ? "x".repeat(bytes) : objectOf(bytes));
const deliveredSized = (bytes: number): string[] => (bytes < 2 ? [] : [delivered(sized(bytes))]);

const fromWorker: Case[] = [...BOUNDARIES, ...AT_LIMIT].map((bytes) =>
  exchange({
    title: `a worker's text of ${bytes} bytes`,
    as: "worker",
    send: [text(sized(bytes)), text("ping")],
    expected: [TEXT_PONG, "open", ...deliveredSized(bytes)],
  }),
);

const fromClient: Case[] = BOUNDARIES.map((bytes) =>
  exchange({
    title: `a client's text of ${bytes} bytes, and a ping behind it`,
    send: [text("x".repeat(bytes)), text("ping")],
    expected: [TEXT_PONG, "open"],
  }),
);

/** 5.2: "in all cases, the minimal number of bytes MUST be used to encode the length". */
const lax = (outcome: readonly string[]): Deviation => ({
  outcome,
  because: "Bun takes a length that is written in more bytes than it needs",
});

const LONG_FORMS: readonly (readonly [bytes: number, lengthBits: 16 | 64])[] = [
  [0, 16],
  [1, 16],
  [125, 16],
  [0, 64],
  [1, 64],
  [125, 64],
  [126, 64],
  [127, 64],
  [65_535, 64],
];

const nonMinimal: Case[] = LONG_FORMS.map(([bytes, lengthBits]) =>
  exchange({
    title: `a text of ${bytes} bytes, its length in ${lengthBits} bits`,
    as: "worker",
    send: [text(sized(bytes), { lengthBits }), text("ping")],
    expected: ["close 1002", "end"],
    deviation: lax([TEXT_PONG, "open", ...deliveredSized(bytes)]),
  }),
);

const longPings: Case[] = ([16, 64] as const).map((lengthBits) =>
  exchange({
    title: `a ping of 5 bytes, its length in ${lengthBits} bits`,
    send: [ping("hello", { lengthBits })],
    expected: ["close 1002", "end"],
  }),
);

const DECLARED: Readonly<Record<string, bigint>> = {
  "MAX_MESSAGE_BYTES + 1": BigInt(LIMIT_BYTES) + 1n,
  "2^31": 1n << 31n,
  "2^32": 1n << 32n,
  "2^32 + 4, which is 4 in 32 bits": (1n << 32n) + 4n,
  "2^53": 1n << 53n,
  "2^63 - 1": (1n << 63n) - 1n,
  "2^63, whose top bit must be 0": 1n << 63n,
  "2^63 + 4": (1n << 63n) + 4n,
  "2^64 - 1": (1n << 64n) - 1n,
};

const tooLong: Case[] = Object.entries(DECLARED).map(([name, declaredLength]) =>
  exchange({
    title: `a text that declares ${name} bytes`,
    as: "worker",
    send: [text("ping", { declaredLength, lengthBits: 64 })],
    expected: ["close 1009", "end"],
  }),
);

const RESERVED = [1, 2, 3, 4, 5, 6, 7];
const FRAMES: Readonly<Record<string, FrameSpec>> = {
  text: { opcode: OPCODE.text, payload: "ping" },
  ping: { opcode: OPCODE.ping, payload: "hello" },
  pong: { opcode: OPCODE.pong },
  close: { opcode: OPCODE.close },
};
const bits = (rsv: number): string => `RSV ${rsv.toString(2).padStart(3, "0")}`;

const reservedBits: Case[] = Object.entries(FRAMES).flatMap(([name, spec]) =>
  (name === "text" ? RESERVED : [1, 2, 4]).map((rsv) =>
    exchange({
      title: `${bits(rsv)} on a ${name}`,
      send: [encodeFrame({ ...spec, rsv })],
      expected: ["close 1002", "end"],
    }),
  ),
);

const reservedOnContinuation: Case[] = [1, 2, 4].map((rsv) =>
  exchange({
    title: `${bits(rsv)} on the last fragment`,
    as: "worker",
    send: [text('{"a":', { fin: false }), encodeFrame({ opcode: OPCODE.continuation, payload: "1}", rsv })],
    expected: ["close 1002", "end"],
  }),
);

const OPCODES = [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf];
const opcodes: Case[] = OPCODES.flatMap((opcode) => {
  const name = `opcode ${opcode.toString(16).toUpperCase()}`;
  const expected = ["close 1002", "end"];
  return [
    exchange({ title: `${name}, empty`, send: [encodeFrame({ opcode })], expected }),
    exchange({ title: `${name} with "ping"`, send: [encodeFrame({ opcode, payload: "ping" })], expected }),
    exchange({
      title: `${name}, not the last fragment`,
      as: "worker",
      send: [encodeFrame({ opcode, payload: "{}", fin: false })],
      expected,
    }),
    exchange({
      title: `${name} between the fragments of a text`,
      as: "worker",
      send: [
        text("{", { fin: false }),
        encodeFrame({ opcode }),
        encodeFrame({ opcode: OPCODE.continuation, payload: "}" }),
      ],
      expected,
    }),
  ];
});

/** The header of each form of the length, in two segments cut behind each of its bytes. */
const HEADERS: readonly (readonly [bytes: number, headBytes: number])[] = [
  [100, 6],
  [300, 8],
  [70_000, 14],
];
const headerCuts: Case[] = HEADERS.flatMap(([bytes, headBytes]) =>
  Array.from({ length: headBytes }, (_, index) =>
    exchange({
      title: `a text of ${bytes} bytes, cut behind byte ${index + 1} of its header`,
      as: "worker",
      send: [text(objectOf(bytes))],
      pacing: index + 1,
      expected: ["open", delivered(objectOf(bytes))],
    }),
  ),
);

export const FRAMING: Section = {
  section: "5.2",
  title: "Base Framing Protocol",
  cases: [
    ...fromWorker,
    ...fromClient,
    ...nonMinimal,
    ...longPings,
    ...tooLong,
    ...reservedBits,
    ...reservedOnContinuation,
    ...opcodes,
    ...headerCuts,
  ],
};
