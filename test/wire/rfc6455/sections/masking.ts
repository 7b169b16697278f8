import { encodeFrame, type FrameSpec, OPCODE } from "../../../support/frame.ts";
import type { Case, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import { first, last, maskedWith, objectOf } from "../support/frames.ts";
import { delivered, pong, TEXT_PONG } from "../support/outcome.ts";

const UNMASKED: Readonly<Record<string, FrameSpec>> = {
  "an empty text": { opcode: OPCODE.text },
  "a text": { opcode: OPCODE.text, payload: '{"n":1}' },
  "a text of 126 bytes": { opcode: OPCODE.text, payload: objectOf(126) },
  "a text of 65536 bytes": { opcode: OPCODE.text, payload: objectOf(65_536) },
  "the first fragment": { opcode: OPCODE.text, payload: "{", fin: false },
  "a binary": { opcode: OPCODE.binary, payload: "{}" },
  "an empty ping": { opcode: OPCODE.ping },
  "a ping": { opcode: OPCODE.ping, payload: "hello" },
  "a pong": { opcode: OPCODE.pong, payload: "hello" },
  "an empty close": { opcode: OPCODE.close },
  "a close": { opcode: OPCODE.close, payload: Uint8Array.of(0x03, 0xe8) },
};

const unmasked: Case[] = Object.entries(UNMASKED).map(([name, spec]) =>
  exchange({
    title: `${name} without a mask`,
    as: "worker",
    send: [encodeFrame({ ...spec, mask: false })],
    expected: ["close 1002", "end"],
  }),
);

const unmaskedLater: Case[] = [
  exchange({
    title: "a continuation without a mask, behind a fragment with one",
    as: "worker",
    send: [first("{"), encodeFrame({ opcode: OPCODE.continuation, payload: "}", mask: false })],
    expected: ["close 1002", "end"],
  }),
  exchange({
    title: "a frame without a mask, behind a good one",
    send: [
      maskedWith([1, 2, 3, 4], { opcode: OPCODE.text, payload: "ping" }),
      encodeFrame({ opcode: OPCODE.text, payload: "ping", mask: false }),
    ],
    expected: [TEXT_PONG, "close 1002", "end"],
  }),
];

const KEYS: Readonly<Record<string, readonly number[]>> = {
  "00000000": [0, 0, 0, 0],
  ffffffff: [255, 255, 255, 255],
  "00000001": [0, 0, 0, 1],
  "80000000": [128, 0, 0, 0],
  "the payload's own first bytes": [...Buffer.from('{"s"')],
};

const keys: Case[] = Object.entries(KEYS).map(([name, key]) =>
  exchange({
    title: `the mask ${name}`,
    as: "worker",
    send: [
      maskedWith(key, { opcode: OPCODE.text, payload: objectOf(99) }),
      maskedWith(key, { opcode: OPCODE.text, payload: "ping" }),
    ],
    expected: [TEXT_PONG, "open", delivered(objectOf(99))],
  }),
);

const KEY = [0x37, 0xfa, 0x21, 0x3d];

/** Every remainder of 4, and of the wider words in which an implementation may unmask. */
const LENGTHS = [...Array(34).keys()];
const lengths: Case[] = LENGTHS.map((bytes) => {
  const payload = Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + 1) & 0xff);
  return exchange({
    title: `a ping of ${bytes} bytes comes back unmasked`,
    send: [maskedWith(KEY, { opcode: OPCODE.ping, payload })],
    expected: [pong(payload), "open"],
  });
});

const HEAD_BYTES = 6;
const CUTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 31, 32, 33, 63];
const cuts: Case[] = CUTS.map((at) =>
  exchange({
    title: `a payload of 64 bytes, cut behind byte ${at}`,
    as: "worker",
    send: [maskedWith(KEY, { opcode: OPCODE.text, payload: objectOf(64) })],
    pacing: HEAD_BYTES + at,
    expected: ["open", delivered(objectOf(64))],
  }),
);

/** How far the frame before it moves a frame in the hub's buffer. */
const OFFSETS = [0, 1, 2, 3, 4, 5, 6, 7];
const offsets: Case[] = OFFSETS.map((bytes) =>
  exchange({
    title: `a text behind a ping of ${bytes} bytes, in one segment`,
    as: "worker",
    send: [
      maskedWith(KEY, { opcode: OPCODE.ping, payload: "p".repeat(bytes) }),
      maskedWith(KEY, { opcode: OPCODE.text, payload: objectOf(300) }),
    ],
    expected: [pong("p".repeat(bytes)), "open", delivered(objectOf(300))],
  }),
);

const keyPerFragment: Case[] = [
  exchange({
    title: "each fragment has a mask of its own",
    as: "worker",
    send: [
      maskedWith([1, 2, 3, 4], { opcode: OPCODE.text, payload: '{"ab', fin: false }),
      maskedWith([9, 8, 7, 6], { opcode: OPCODE.continuation, payload: 'c":[', fin: false }),
      last("1]}"),
    ],
    expected: ["open", delivered('{"abc":[1]}')],
  }),
];

export const MASKING: Section = {
  section: "5.3",
  title: "Client-to-Server Masking",
  cases: [...unmasked, ...unmaskedLater, ...keys, ...lengths, ...cuts, ...offsets, ...keyPerFragment],
};
