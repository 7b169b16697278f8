/** One chunk of a chunked body (RFC 9112, section 7.1). */
export function encodeChunk(bytes: string | Uint8Array): Uint8Array {
  const data = Buffer.from(bytes);
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
}

export const LAST_CHUNK = "0\r\n\r\n";

/**
 * Reads a chunked body of UTF-8 text strictly, however it was split. Throws on bad framing and bad UTF-8.
 * @param take called with text as it comes
 * @param whole called at the last chunk, which tells a response in good order from one cut off
 */
export function createChunkedReader(
  take: (text: string) => void,
  whole: () => void,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let held: Buffer = Buffer.alloc(0);
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    let text = "";
    for (let chunk = readChunk(held); chunk !== undefined; chunk = readChunk(held)) {
      held = held.subarray(chunk.size);
      text += decoder.decode(chunk.data, { stream: chunk.data.length > 0 });
      if (chunk.data.length > 0) continue;
      take(text);
      whole();
      return;
    }
    if (text !== "") take(text);
  };
}

function readChunk(bytes: Buffer): { readonly data: Buffer; readonly size: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n");
  if (lineEnd === -1) return undefined;
  const hex = bytes.toString("latin1", 0, lineEnd);
  if (!/^[0-9a-f]+$/i.test(hex)) throw new Error(`no chunk size: ${JSON.stringify(hex.slice(0, 100))}`);
  const length = Number.parseInt(hex, 16);
  const start = lineEnd + 2;
  if (bytes.length < start + length + 2) return undefined;
  return { data: bytes.subarray(start, start + length), size: start + length + 2 };
}
