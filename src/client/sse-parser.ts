/** One event of a stream. A block without data is no event, but its id moves the position all the same. */
export interface SseBlock {
  /** `message` where the block names none. */
  readonly event: string;
  /** undefined where the block has none. */
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/** An event that is longer than this comes from no hub. */
const EVENT_LIMIT_CHARS = 67_108_864;

/**
 * Reads Server-Sent Events (WHATWG HTML, section 9.2.6), however they are cut into chunks. A block that the end of the
 * stream cuts short is dropped.
 * @returns what takes the next chunk and gives the blocks that it completes
 * @throws RangeError from that, for an event without end
 */
export function createSseParser(): (chunk: string) => SseBlock[] {
  let rest = "";
  let isFirst = true;
  let event = "";
  let id: string | undefined;
  let data: string[] = [];
  let dataChars = 0;

  const finishBlock = (): SseBlock | undefined => {
    const isEmpty = id === undefined && data.length === 0;
    const block = { event: event || "message", id, data: data.length === 0 ? undefined : data.join("\n") };
    event = "";
    id = undefined;
    data = [];
    dataChars = 0;
    return isEmpty ? undefined : block;
  };

  const takeField = (line: string): void => {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) id = value;
    else if (name === "data") {
      data.push(value);
      dataChars += value.length;
    }
  };

  return (chunk) => {
    let text = rest + chunk;
    if (isFirst && text !== "") {
      isFirst = false;
      if (text.startsWith("\ufeff")) text = text.slice(1);
    }
    const blocks: SseBlock[] = [];
    const lineEnd = /\r\n|\n|\r/g;
    let start = 0;
    for (let found = lineEnd.exec(text); found !== null; found = lineEnd.exec(text)) {
      // A CR at the end of a chunk may be the first half of a CRLF.
      if (found[0] === "\r" && lineEnd.lastIndex === text.length) break;
      const line = text.slice(start, found.index);
      start = lineEnd.lastIndex;
      if (line !== "") {
        takeField(line);
        continue;
      }
      const block = finishBlock();
      if (block !== undefined) blocks.push(block);
    }
    rest = text.slice(start);
    if (rest.length + dataChars > EVENT_LIMIT_CHARS) throw new RangeError("an event without end");
    return blocks;
  };
}
