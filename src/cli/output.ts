import type { Writable } from "node:stream";
import type { Runtime } from "../runtime.ts";
import type { Output } from "./terminal.ts";

/** Wraps standard output: writes of one turn leave as one, and what its reader does is told instead of thrown. */
export function createOutput(stream: Writable, isTerminal: boolean, { soon }: Pick<Runtime, "soon">): Output {
  const { promise: ended, resolve: end } = Promise.withResolvers<string | undefined>();
  let texts: string[] = [];
  let pendingBytes = 0;
  let isEnded = false;
  let failure: string | undefined;
  let waiting: { readonly belowBytes: number; readonly resolve: () => void }[] = [];

  const wake = (): void => {
    const ready = waiting.filter(({ belowBytes }) => isEnded || pendingBytes < belowBytes);
    waiting = waiting.filter((waiter) => !ready.includes(waiter));
    for (const { resolve } of ready) resolve();
  };

  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (isEnded) return;
    isEnded = true;
    if (error.code !== "EPIPE") failure = error.message;
    texts = [];
    wake();
    end(failure);
  });

  const flush = (): void => {
    if (isEnded) return;
    const text = texts.join("");
    texts = [];
    const byteCount = Buffer.byteLength(text);
    stream.write(text, () => {
      pendingBytes -= byteCount;
      wake();
    });
  };

  return {
    isTerminal,
    ended,
    write(text) {
      if (isEnded) return;
      if (texts.length === 0) soon(flush);
      texts.push(text);
      pendingBytes += Buffer.byteLength(text);
    },
    pendingBytes: () => (isEnded ? 0 : pendingBytes),
    drained: (belowBytes) =>
      new Promise((resolve) => {
        waiting.push({ belowBytes, resolve });
        wake();
      }),
    failure: () => failure,
  };
}
