import type { FrameHandler } from "./frames.ts";
import { MESSAGE_BYTES } from "./messages.ts";

/** The subprotocol of stream framing (PROTOCOL.md section 3). */
export const STREAM_HEADERS = { "Sec-WebSocket-Protocol": "vectra.stream.v1" } as const;

const TYPE_AT = '{"type":"'.length;
const ID_AT = '{"type":"message","id":"'.length;
const BEFORE_DATA = '","data":'.length;
const LETTER_M = "m".charCodeAt(0);
const QUOTE = '"'.charCodeAt(0);

export interface EnvelopeHandlers {
  /** A message of the load: `bytes[start]` up to `bytes[end]`; its cursor begins at `bytes[idStart]` and ends with a quote. */
  onMessage(bytes: Uint8Array, start: number, end: number, idStart: number): void;
  /** Any other envelope, and a message that is none of the load's, as its text. */
  onOther(text: string): void;
}

/**
 * Takes the envelopes of stream framing apart, for frames of a server that writes them in the order of PROTOCOL.md: a
 * message of the load is told from everything else by its place and its length, because this runs for each delivery.
 */
export function createEnvelopeReader(handlers: EnvelopeHandlers): FrameHandler {
  return (_opcode, bytes, start, end) => {
    const dataEnd = end - 1;
    const dataStart = dataEnd - MESSAGE_BYTES;
    const isOfLoad =
      bytes[start + TYPE_AT] === LETTER_M &&
      dataStart > start + ID_AT + BEFORE_DATA &&
      bytes[dataStart - BEFORE_DATA] === QUOTE;
    if (isOfLoad) handlers.onMessage(bytes, dataStart, dataEnd, start + ID_AT);
    else handlers.onOther(Buffer.from(bytes.subarray(start, end)).toString());
  };
}

/** The cursor that begins at `bytes[idStart]`. */
export function readCursor(bytes: Uint8Array, idStart: number): string {
  return Buffer.from(bytes.subarray(idStart, bytes.indexOf(QUOTE, idStart))).toString("latin1");
}
