/**
 * RFC 6455 framing as a load generator needs it: no validation of what a correct server never sends, no copy of a
 * payload that is only counted.
 */
export const OPCODE_TEXT = 0x1;
export const OPCODE_CLOSE = 0x8;
export const OPCODE_PING = 0x9;
export const OPCODE_PONG = 0xa;

/** Called once for each whole frame: its payload is `bytes[start]` up to, not including, `bytes[end]`. */
export type FrameHandler = (opcode: number, bytes: Uint8Array, start: number, end: number) => void;

const FIN_AND_OPCODE = 0x8f;
const NOTHING = new Uint8Array(0);

/**
 * A reader for one socket's server-to-client bytes (RFC 6455 section 5.2). The returned function takes each chunk as
 * it arrives and calls `onFrame` for the frames that it completes; the rest waits for the next chunk. It throws on a
 * masked or fragmented frame or a reserved bit: a server that is benchmarked here sends none.
 */
export function createFrameReader(onFrame: FrameHandler): (chunk: Uint8Array) => void {
  let rest: Uint8Array = NOTHING;

  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let offset = 0;
    while (bytes.length - offset >= 2) {
      const first = bytes[offset] as number;
      const second = bytes[offset + 1] as number;
      if (second > 127) throw new Error("the server sent a masked frame");
      if ((first & FIN_AND_OPCODE) !== first || first < 0x80) {
        throw new Error(`the server sent a frame that starts with byte 0x${first.toString(16)}`);
      }
      let headerBytes = 2;
      let payloadBytes = second;
      if (second === 126) {
        headerBytes = 4;
        if (bytes.length - offset < headerBytes) break;
        payloadBytes = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number);
      } else if (second === 127) {
        headerBytes = 10;
        if (bytes.length - offset < headerBytes) break;
        payloadBytes = Number(new DataView(bytes.buffer, bytes.byteOffset + offset + 2, 8).getBigUint64(0));
      }
      const start = offset + headerBytes;
      const end = start + payloadBytes;
      if (end > bytes.length) break;
      offset = end;
      onFrame(first & 0xf, bytes, start, end);
    }
    // A copy, so that a few bytes do not keep a whole receive buffer alive.
    rest = offset === bytes.length ? NOTHING : new Uint8Array(bytes.subarray(offset));
  };
}

/**
 * A client's frame around `payload` (below 64 KiB). The mask is the zero key, which RFC 6455 section 5.3 permits on
 * the wire: the server's work to unmask stays the same, and the payload can be edited in place.
 */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const short = payload.length < 126;
  const frame = Buffer.alloc((short ? 6 : 8) + payload.length);
  frame[0] = 0x80 | opcode;
  if (short) {
    frame[1] = 0x80 | payload.length;
  } else {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(payload.length, 2);
  }
  frame.set(payload, short ? 6 : 8);
  return frame;
}
