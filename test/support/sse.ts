/** One block of an SSE stream (WHATWG HTML, section 9.2.6), with only the fields that it has. */
export interface SseBlock {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

/**
 * Cuts a stream into blocks, however it was split. A block counts once its blank line is there; what a lost connection
 * leaves of one is nothing. The hub ends its lines with LF, so any CR stays where it is and a test can see it.
 */
export function createSseParser(): (chunk: Uint8Array) => SseBlock[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let held = "";
  return (chunk) => {
    held += decoder.decode(chunk, { stream: true });
    const end = held.lastIndexOf("\n\n");
    if (end < 0) return [];
    const blocks = held.slice(0, end).split("\n\n").map(readBlock);
    held = held.slice(end + 2);
    return blocks;
  };
}

function readBlock(text: string): SseBlock {
  const block: { id?: string; event?: string; data?: string } = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    const value = line.slice(colon + 2);
    if (line.startsWith("id: ")) block.id = value;
    else if (line.startsWith("event: ")) block.event = value;
    else if (line.startsWith("data: "))
      block.data = block.data === undefined ? value : `${block.data}\n${value}`;
  }
  return block;
}
