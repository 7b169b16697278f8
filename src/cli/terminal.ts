import type { Runtime } from "../runtime.ts";

/** What a command may touch of the process it runs in. `main` makes it, so that nothing else reads argv, env or stdin. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a whole file as text; throws when that fails. */
  readonly readFile: (path: string) => string;
  readonly stdin: Input;
  readonly stdout: Output;
  /** Writes one line about the command itself to standard error; control characters in it are shown, not obeyed. */
  readonly say: (line: string) => void;
  readonly isStderrTerminal: boolean;
  /**
   * Resolves with the first SIGINT or SIGTERM; from the first call on the command ends by itself then, and a second signal
   * ends the process with 1. A command that never asks is ended at once, with 128 and the signal's number.
   */
  readonly stopAsked: () => Promise<string>;
  readonly runtime: Runtime;
}

export interface Input {
  readonly isTerminal: boolean;
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

/** Standard output. What is written leaves once for each turn of the event loop. */
export interface Output {
  readonly isTerminal: boolean;
  write(text: string): void;
  /** What the reader has not taken yet. */
  pendingBytes(): number;
  /** Resolves when less than so much is pending, or nobody reads any more. */
  drained(belowBytes: number): Promise<void>;
  /** Resolves when nobody reads any more, with what went wrong; undefined where the reader has just gone (EPIPE). */
  readonly ended: Promise<string | undefined>;
  /** What went wrong, other than that the reader has gone. */
  failure(): string | undefined;
}

/** Exit codes that all commands share; `usage` is a mistake in the command line or the environment. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Control and direction characters: they could disguise or forge what a person reads. */
const INVISIBLE = /[\p{Cc}\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** A text as it may go to a person: what cannot be seen is written as an escape, which in JSON means the same. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
