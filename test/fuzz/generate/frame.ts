import { OPCODE } from "../../support/frame.ts";
import type { Random } from "../../support/random.ts";
import { ODD_UTF8, oneIn } from "./bytes.ts";

/** One frame in every detail (RFC 6455, section 5.2), so that the same seed gives the same bytes, the mask included. */
export interface FrameBits {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** The form of the length; the shortest one if left out. */
  readonly lengthBits?: 7 | 16 | 64 | undefined;
  /** What the header claims, if that is not the payload's length. */
  readonly declared?: bigint;
}

export function encodeBits(random: Random, frame: FrameBits): Uint8Array {
  const { opcode, payload, fin = true, rsv = 0, masked = true } = frame;
  const length = frame.declared ?? BigInt(payload.length);
  const bits = frame.lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const extended = bits === 7 ? 0 : bits / 8;
  const head = Buffer.alloc(2 + extended);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (bits === 7 ? Number(length & 0x7fn) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(length & 0xffffn), 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt.asUintN(64, length), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const key = random.bytes(4);
  return Buffer.concat([head, key, payload.map((byte, at) => byte ^ (key[at % 4] ?? 0))]);
}

/** A text as one frame. */
export function textFrame(random: Random, text: string): Uint8Array {
  return encodeBits(random, {
    opcode: OPCODE.text,
    payload: Buffer.from(text),
    lengthBits: longForm(random),
  });
}

/** A text in pieces, cut anywhere, with control frames between them (RFC 6455, section 5.4). */
export function fragmentedText(random: Random, text: string): Uint8Array {
  let rest: Uint8Array = Buffer.from(text);
  const frames: Uint8Array[] = [];
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const cut = random.below(rest.length + 1);
    const opcode = frames.length === 0 ? OPCODE.text : OPCODE.continuation;
    frames.push(encodeBits(random, { opcode, fin: false, payload: rest.subarray(0, cut) }));
    if (oneIn(random, 2)) frames.push(controlFrame(random));
    rest = rest.subarray(cut);
  }
  frames.push(encodeBits(random, { opcode: OPCODE.continuation, payload: rest }));
  return Buffer.concat(frames);
}

/** A ping or a pong that breaks no rule. */
export function controlFrame(random: Random): Uint8Array {
  const payload = random.bytes(random.pick([0, 0, 1, 16, 124, 125]));
  return encodeBits(random, { opcode: random.pick([OPCODE.ping, OPCODE.pong]), payload });
}

const CLOSE_CODES = [
  0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4001,
  4999, 5000, 65_535,
] as const;

/** A close frame, the better half of them allowed (RFC 6455, section 7.4). */
export function closeFrame(random: Random): Uint8Array {
  const code = Buffer.alloc(2);
  code.writeUInt16BE(random.pick(CLOSE_CODES));
  const reason = random.pick([
    Buffer.alloc(0),
    Buffer.from("bye"),
    Buffer.from("é".repeat(61)),
    Buffer.alloc(123, "r"),
    random.pick(ODD_UTF8),
  ]);
  const payload = random.pick([Buffer.concat([code, reason]), Buffer.alloc(0), code, code.subarray(0, 1)]);
  return encodeBits(random, { opcode: OPCODE.close, payload });
}

const LENGTHS = [
  0n,
  1n,
  125n,
  126n,
  127n,
  65_535n,
  65_536n,
  1_048_576n,
  1_048_577n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
] as const;

/** A frame that breaks one of the rules, or claims a length that it does not have. */
export function brokenFrame(random: Random): Uint8Array {
  const payload = oneIn(random, 3) ? random.bytes(random.below(40)) : Buffer.from("ping");
  const opcode = random.pick([OPCODE.text, OPCODE.binary, OPCODE.continuation, OPCODE.ping, OPCODE.close]);
  switch (random.below(9)) {
    case 0:
      return encodeBits(random, { opcode: random.below(16), payload });
    case 1:
      return encodeBits(random, { opcode, rsv: 1 + random.below(7), payload });
    case 2:
      return encodeBits(random, { opcode, masked: false, payload });
    case 3:
      return encodeBits(random, { opcode, declared: random.pick(LENGTHS), payload });
    case 4:
      return encodeBits(random, {
        opcode,
        declared: random.pick(LENGTHS),
        lengthBits: random.pick([16, 64]),
        payload,
      });
    case 5:
      return encodeBits(random, {
        opcode: random.pick([OPCODE.ping, OPCODE.pong, OPCODE.close]),
        payload: random.bytes(126 + random.below(200)),
      });
    case 6:
      return encodeBits(random, {
        opcode: random.pick([OPCODE.ping, OPCODE.pong, OPCODE.close]),
        fin: false,
        payload,
      });
    case 7:
      return encodeBits(random, {
        opcode: OPCODE.text,
        payload: Buffer.concat([payload, random.pick(ODD_UTF8)]),
      });
    default:
      return random.bytes(1 + random.below(64));
  }
}

function longForm(random: Random): 16 | 64 | undefined {
  return oneIn(random, 10) ? random.pick([16, 64]) : undefined;
}
