import { closePayload, encodeFrame, type FrameSpec, OPCODE } from "../../../support/frame.ts";

type Extra = Omit<FrameSpec, "opcode" | "payload">;
type Payload = string | Uint8Array;

/** The bytes of a client's frames; `extra` breaks rules. */
export const text = (payload: Payload = "", extra: Extra = {}): Uint8Array =>
  encodeFrame({ opcode: OPCODE.text, payload, ...extra });
export const binary = (payload: Payload = "", extra: Extra = {}): Uint8Array =>
  encodeFrame({ opcode: OPCODE.binary, payload, ...extra });
export const ping = (payload: Payload = "", extra: Extra = {}): Uint8Array =>
  encodeFrame({ opcode: OPCODE.ping, payload, ...extra });
export const pongFrame = (payload: Payload = "", extra: Extra = {}): Uint8Array =>
  encodeFrame({ opcode: OPCODE.pong, payload, ...extra });
export const close = (code: number, reason = "", extra: Extra = {}): Uint8Array =>
  encodeFrame({ opcode: OPCODE.close, payload: closePayload(code, reason), ...extra });

/** The first fragment of a text message (5.4). */
export const first = (payload: Payload = ""): Uint8Array => text(payload, { fin: false });
export const middle = (payload: Payload = ""): Uint8Array =>
  encodeFrame({ opcode: OPCODE.continuation, payload, fin: false });
export const last = (payload: Payload = ""): Uint8Array =>
  encodeFrame({ opcode: OPCODE.continuation, payload });

/** A message in so many fragments, as even as they can be. */
export function fragments(payload: Payload, count: number): Uint8Array[] {
  const bytes = Buffer.from(payload);
  const at = (index: number): number => Math.floor((index * bytes.length) / count);
  return Array.from({ length: count }, (_, index) =>
    encodeFrame({
      opcode: index === 0 ? OPCODE.text : OPCODE.continuation,
      fin: index === count - 1,
      payload: bytes.subarray(at(index), at(index + 1)),
    }),
  );
}

/** A frame masked with this very key (5.3). */
export function maskedWith(key: readonly number[], spec: FrameSpec): Uint8Array {
  const plain = encodeFrame({ ...spec, mask: false });
  const size = Buffer.from(spec.payload ?? "").length;
  const [head, payload] = [plain.subarray(0, plain.length - size), plain.subarray(plain.length - size)];
  head[1] = 0x80 | (head[1] ?? 0);
  return Buffer.concat([head, Uint8Array.from(key), payload.map((byte, at) => byte ^ (key[at % 4] ?? 0))]);
}

/** A JSON object of exactly so many bytes, from 8 on; 2 is `{}`. */
export function objectOf(bytes: number): string {
  return bytes === 2 ? "{}" : `{"s":"${"x".repeat(bytes - 8)}"}`;
}
