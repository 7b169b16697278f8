/** A line may be as long as the largest message that a hub can be told to take. */
export const LINE_LIMIT_BYTES = 67_108_864;

const LF = 0x0a;

/** Whole lines that came together, or why the input cannot be read on. */
export type InputLines =
  | { readonly ok: true; readonly lines: readonly string[]; readonly firstNumber: number }
  | { readonly ok: false; readonly number: number; readonly why: string };

/** Cuts a stream of bytes at its line ends. The last line may lack one. A line that is no UTF-8 ends the input. */
export async function* inputLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<InputLines> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  let nextNumber = 1;
  const read = (bytes: Uint8Array): InputLines[] => {
    const wellBytes = lengthOfValidLines(bytes);
    const lines = wellBytes === 0 ? [] : linesOf(bytes.subarray(0, wellBytes));
    const blocks: InputLines[] = [{ ok: true, lines, firstNumber: nextNumber }];
    nextNumber += lines.length;
    if (wellBytes < bytes.length) blocks.push({ ok: false, number: nextNumber, why: "is not valid UTF-8" });
    return blocks;
  };

  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LF) + 1;
    if (end > 0) {
      yield* read(Buffer.concat([...rest, chunk.subarray(0, end)]));
      rest = [];
      restBytes = 0;
    }
    rest.push(chunk.slice(end));
    restBytes += chunk.length - end;
    if (restBytes > LINE_LIMIT_BYTES) {
      yield { ok: false, number: nextNumber, why: `is longer than ${LINE_LIMIT_BYTES} bytes` };
      return;
    }
  }
  if (restBytes > 0) yield* read(Buffer.concat(rest));
}

/** A BOM stays, and JSON then refuses it, as the hub would. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function linesOf(bytes: Uint8Array): string[] {
  const text = decode(bytes);
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

function isValid(bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** How many of the bytes stand before the first line that is no UTF-8. */
function lengthOfValidLines(bytes: Uint8Array): number {
  if (isValid(bytes)) return bytes.length;
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(LF, start);
    const next = end === -1 ? bytes.length : end + 1;
    if (!isValid(bytes.subarray(start, next))) break;
    start = next;
  }
  return start;
}
