/**
 * Takes a body out of chunked transfer coding (RFC 9112, section 7.1), however it was split. For tests that read an
 * endless response from a plain TCP connection, because only there can they stop reading.
 */
export function createChunkedDecoder(): (bytes: Uint8Array) => Uint8Array {
  let held: Uint8Array = new Uint8Array();
  /** What is still missing of the present chunk, its CRLF included; 0 before a size line. */
  let missing = 0;
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    const pieces: Uint8Array[] = [];
    while (held.length > 0) {
      if (missing === 0) {
        const end = Buffer.from(held.buffer, held.byteOffset, held.byteLength).indexOf("\r\n");
        if (end < 0) break;
        missing = Number.parseInt(Buffer.from(held.subarray(0, end)).toString("latin1"), 16) + 2;
        held = held.subarray(end + 2);
      }
      const taken = held.subarray(0, missing);
      pieces.push(taken.subarray(0, Math.max(0, Math.min(taken.length, missing - 2))));
      missing -= taken.length;
      held = held.subarray(taken.length);
    }
    return Buffer.concat(pieces);
  };
}
