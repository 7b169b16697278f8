/** RFC 6455 section 5: frames, right ones and wrong ones. */

export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

export interface FrameSpec {
  readonly opcode: number;
  readonly payload?: string | Uint8Array;
  readonly fin?: boolean;
  /** The three reserved bits, 0–7. */
  readonly rsv?: number;
  /** Clients must mask (the default); `false` breaks that rule. */
  readonly mask?: boolean;
  /** The form of the length; the shortest one unless a test wants a longer one. */
  readonly lengthBits?: 7 | 16 | 64;
  /** What the header claims, when that is not the payload's length. */
  readonly declaredLength?: bigint;
}

export interface Frame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** The bytes of one frame from a client. */
export function encodeFrame(spec: FrameSpec): Uint8Array {
  const payload =
    typeof spec.payload === "string" ? Buffer.from(spec.payload) : (spec.payload ?? new Uint8Array());
  const length = spec.declaredLength ?? BigInt(payload.length);
  const bits = spec.lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const masked = spec.mask ?? true;
  const extended = bits === 7 ? 0 : bits / 8;
  const head = new DataView(new ArrayBuffer(2 + extended + (masked ? 4 : 0)));
  head.setUint8(0, (spec.fin === false ? 0 : 0x80) | ((spec.rsv ?? 0) << 4) | spec.opcode);
  head.setUint8(1, (masked ? 0x80 : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127));
  if (bits === 16) head.setUint16(2, Number(length));
  if (bits === 64) head.setBigUint64(2, length);
  if (!masked) return Buffer.concat([new Uint8Array(head.buffer), payload]);
  const key = crypto.getRandomValues(new Uint8Array(4));
  for (const [index, byte] of key.entries()) head.setUint8(2 + extended + index, byte);
  return Buffer.concat([
    new Uint8Array(head.buffer),
    payload.map((byte, index) => byte ^ (key[index % 4] ?? 0)),
  ]);
}

/** Payload of a close frame (section 5.5.1). */
export function closePayload(code: number, reason = ""): Uint8Array {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
}

export interface Close {
  /** 1005, "no status", when the frame holds none. */
  readonly code: number;
  readonly reason: string;
}

/** What a close frame says. The reason must be valid UTF-8. */
export function readClose(frame: Frame): Close {
  if (frame.payload.length < 2) return { code: 1005, reason: "" };
  const code = new DataView(frame.payload.buffer, frame.payload.byteOffset).getUint16(0);
  return { code, reason: new TextDecoder("utf-8", { fatal: true }).decode(frame.payload.subarray(2)) };
}

/** Cuts a server's byte stream into frames, however it was split. Throws when the server masks. */
export function createFrameParser(): (chunk: Uint8Array) => Frame[] {
  let held: Uint8Array = new Uint8Array();
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    const frames: Frame[] = [];
    for (let read = readFrame(held); read !== undefined; read = readFrame(held)) {
      frames.push(read.frame);
      held = held.subarray(read.size);
    }
    return frames;
  };
}

function readFrame(bytes: Uint8Array): { frame: Frame; size: number } | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  if ((second & 0x80) !== 0) throw new Error("the server masked a frame");
  const extended = second === 126 ? 2 : second === 127 ? 8 : 0;
  const start = 2 + extended;
  if (bytes.length < start) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = extended === 0 ? second : extended === 2 ? view.getUint16(2) : Number(view.getBigUint64(2));
  if (bytes.length < start + length) return undefined;
  const payload = new Uint8Array(bytes.subarray(start, start + length));
  const frame = { fin: (first & 0x80) !== 0, rsv: (first >> 4) & 0x7, opcode: first & 0xf, payload };
  return { frame, size: start + length };
}
