/** One block of an event stream: what stands between two empty lines (WHATWG HTML, section 9.2.5). */
export interface EventBlock {
  readonly event?: string;
  readonly id?: string;
  /** Several lines are joined with a line feed. A block without it makes no event in a browser. */
  readonly data?: string;
  readonly retry?: string;
  /** The lines that start with a colon, without it. */
  readonly comments: readonly string[];
}

/** Cuts an event stream into blocks, however it was split. Throws on any field that the standard does not know. */
export function createEventParser(): (text: string) => EventBlock[] {
  let rest = "";
  return (text) => {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.map(readBlock);
  };
}

function readBlock(text: string): EventBlock {
  const block: { event?: string; id?: string; data?: string; retry?: string; comments: string[] } = {
    comments: [],
  };
  // A lone CR ends a line as well; the hub must never send one.
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "") block.comments.push(value);
    else if (name === "data") block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    else if (name === "event" || name === "id" || name === "retry") block[name] = value;
    else throw new Error(`no field of an event stream: ${JSON.stringify(line)}`);
  }
  return block;
}
