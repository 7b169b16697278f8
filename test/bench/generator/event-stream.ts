import { createChunkedReader } from "./chunked.ts";
import { type Connection, openConnection } from "./connection.ts";
import { MESSAGE_BYTES } from "./messages.ts";

export interface EventStreamOptions {
  url: URL;
  /** A message of the load. */
  onMessage: (bytes: Uint8Array, start: number, end: number) => void;
  /** Any other block: an event of the hub's own, a comment, a retry. */
  onOther: (text: string) => void;
  onChunkEnd: () => void;
  onFailure: (error: Error) => void;
}

const NOTHING = new Uint8Array(0);
const LF = 10;
const LETTER_I = "i".charCodeAt(0);
const LETTER_D = "d".charCodeAt(0);
const SHORTEST_ID_LINE_BYTES = "id: x\n".length;
const BEFORE_DATA = "data: ".length;

/** Opens an SSE stream (WHATWG HTML section 9.2) and resolves once the server has answered 200. */
export function connectEventStream(options: EventStreamOptions): Promise<Connection> {
  const readChunks = createChunkedReader(createBlockReader(options));
  return openConnection({
    url: options.url,
    status: 200,
    headers: { Accept: "text/event-stream" },
    onHead(head) {
      if (!/^transfer-encoding: chunked\r?$/im.test(head)) {
        throw new Error("the server answered without chunked transfer coding");
      }
    },
    onChunk(chunk) {
      readChunks(chunk);
      options.onChunkEnd();
    },
    onFailure: options.onFailure,
  });
}

/**
 * Splits a body into its blocks, each of which ends with an empty line. A message of the load is a block of exactly two
 * lines, its id and its data; it is told from everything else by its first letters and its length, because this runs for
 * each delivery.
 */
export function createBlockReader({
  onMessage,
  onOther,
}: Pick<EventStreamOptions, "onMessage" | "onOther">): (
  bytes: Uint8Array,
  start: number,
  end: number,
) => void {
  let rest: Uint8Array = NOTHING;

  return (chunk, start, end) => {
    let bytes = chunk;
    let offset = start;
    let limit = end;
    if (rest.length > 0) {
      bytes = Buffer.concat([rest, chunk.subarray(start, end)]);
      offset = 0;
      limit = bytes.length;
    }
    while (offset < limit) {
      const dataStart = dataOfLoad(bytes, offset, limit);
      if (dataStart > 0) {
        onMessage(bytes, dataStart, dataStart + MESSAGE_BYTES);
        offset = dataStart + MESSAGE_BYTES + 2;
        continue;
      }
      const next = endOfBlock(bytes, offset, limit);
      if (next < 0) break;
      onOther(Buffer.from(bytes.subarray(offset, next)).toString());
      offset = next;
    }
    // A copy, so that a few bytes do not keep a whole receive buffer alive.
    rest = offset === limit ? NOTHING : new Uint8Array(bytes.subarray(offset, limit));
  };
}

/** Where the data of the message that begins at `offset` starts; 0 if this is no whole message of the load. */
function dataOfLoad(bytes: Uint8Array, offset: number, limit: number): number {
  if (bytes[offset] !== LETTER_I) return 0;
  let lineEnd = offset + SHORTEST_ID_LINE_BYTES - 1;
  while (lineEnd < limit && bytes[lineEnd] !== LF) lineEnd += 1;
  const dataStart = lineEnd + 1 + BEFORE_DATA;
  const dataEnd = dataStart + MESSAGE_BYTES;
  const isWhole = dataEnd + 2 <= limit && bytes[dataEnd] === LF && bytes[dataEnd + 1] === LF;
  return isWhole && bytes[lineEnd + 1] === LETTER_D ? dataStart : 0;
}

/** One past the empty line that ends the block, or -1 while that has not come. */
function endOfBlock(bytes: Uint8Array, offset: number, limit: number): number {
  for (let at = bytes.indexOf(LF, offset); at >= 0 && at + 1 < limit; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
  }
  return -1;
}
