/** The messages of the load: JSON objects of equal length that carry their number in a fixed place. */
export const MESSAGE_BYTES = 200;

const DIGITS = 8;
const DIGITS_END = '"}'.length;
const HEAD =
  '{"type":"DOC_PROGRESS","doc_id":"5f0c9a7e-3b1d-4c52-9a77-d2f1c0b4e8a6","progress":0.4375,"note":"';
const TAIL = `","seq":"${"0".repeat(DIGITS)}"}`;
const TEMPLATE = Buffer.from(HEAD + "x".repeat(MESSAGE_BYTES - HEAD.length - TAIL.length) + TAIL);

/** The text of message number `sequence`, as bytes. */
export function messageBytes(sequence: number): Buffer {
  const message = Buffer.from(TEMPLATE);
  writeSequence(message, message.length, sequence);
  return message;
}

/** Overwrites the number in a message that ends before `bytes[end]`. */
export function writeSequence(bytes: Uint8Array, end: number, sequence: number): void {
  let value = sequence;
  for (let index = end - DIGITS_END - 1; index >= end - DIGITS_END - DIGITS; index -= 1) {
    bytes[index] = 48 + (value % 10);
    value = Math.floor(value / 10);
  }
}

/**
 * The number of the message in `bytes[start]` up to `bytes[end]`, or -1 if that is something else (a status, a pong).
 * Only the length and the digits are looked at, because this runs once for each delivery.
 */
export function readSequence(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== MESSAGE_BYTES) return -1;
  let value = 0;
  for (let index = end - DIGITS_END - DIGITS; index < end - DIGITS_END; index += 1) {
    value = value * 10 + (bytes[index] as number) - 48;
  }
  return value;
}
