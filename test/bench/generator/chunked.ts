/** Called for each piece of a body: `bytes[start]` up to, not including, `bytes[end]`. */
export type BodyHandler = (bytes: Uint8Array, start: number, end: number) => void;

const CR = 13;
const LF = 10;
const MAX_SIZE_LINE_BYTES = 32;

/**
 * A reader for a body in chunked transfer coding (RFC 9112 section 7.1). The returned function takes the bytes read by
 * read and hands the body on without its chunk headers. It throws where a header is wrong, and at the body's end,
 * because no stream of a bench may end.
 */
export function createChunkedReader(onBody: BodyHandler): (read: Uint8Array) => void {
  let header = "";
  /** Of the chunk at hand; below zero are the two bytes of the line end behind it. */
  let bytesLeft = -2;
  let isInHeader = true;

  return (read) => {
    let offset = 0;
    while (offset < read.length) {
      if (isInHeader) {
        const byte = read[offset++] as number;
        if (byte !== LF) {
          if (byte !== CR) header += String.fromCharCode(byte);
          if (header.length > MAX_SIZE_LINE_BYTES) throw new Error("a chunk's size line never ends");
          continue;
        }
        if (!/^[0-9a-fA-F]+$/.test(header)) throw new Error(`"${header}" is not the size of a chunk`);
        bytesLeft = Number.parseInt(header, 16);
        if (bytesLeft === 0) throw new Error("the server ended the stream");
        header = "";
        isInHeader = false;
      } else if (bytesLeft > 0) {
        const end = Math.min(offset + bytesLeft, read.length);
        onBody(read, offset, end);
        bytesLeft -= end - offset;
        offset = end;
      } else {
        const expected = bytesLeft === 0 ? CR : LF;
        if (read[offset++] !== expected) throw new Error("a chunk is longer than its size");
        bytesLeft -= 1;
        isInHeader = bytesLeft === -2;
      }
    }
  };
}
