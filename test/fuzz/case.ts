import { createRandom, type Random } from "../support/random.ts";
import { churn } from "./generate/churn.ts";
import { workerFrames } from "./generate/envelopes.ts";
import { events } from "./generate/events.ts";
import { frames } from "./generate/frames.ts";
import { handshakes } from "./generate/handshake.ts";
import { commands, publishes, reads } from "./generate/http.ts";

/** Something done on a connection. */
export type Step =
  | { readonly write: Uint8Array }
  /**
   * `turn` lets the bytes so far leave by themselves. `head` waits for the head of an answer, `bytes` for anything more from
   * the hub; both only for a while, because what was sent may deserve no answer.
   */
  | { readonly wait: "turn" | "head" | "bytes" };

/**
 * How a connection ends: `fin` half-closes and reads on until the hub has closed, `reset` cuts it at once, `hold` keeps it
 * until the episode's end, `stall` the same without reading.
 */
export type Ending = "fin" | "reset" | "hold" | "stall";

/** What one connection does. Plain data, the same for the same seed and number. */
export interface Case {
  readonly kind: string;
  readonly steps: readonly Step[];
  readonly end: Ending;
  /** Where the generator knows it: with which status the first answer must come. */
  readonly expected?: readonly number[];
  /** What the stream must hold, byte for byte, if the answer is a receipt. */
  readonly published?: readonly string[];
}

/** Of so many cases each kind gets its share. */
const GENERATORS: readonly (readonly [share: number, kind: string, generate: (random: Random) => Body])[] = [
  [24, "frames", frames],
  [22, "worker", workerFrames],
  [14, "handshake", handshakes],
  [12, "publish", publishes],
  [6, "command", commands],
  [9, "read", reads],
  [7, "events", events],
  [6, "churn", churn],
];

/** A case before it has its kind. */
export type Body = Omit<Case, "kind">;

/** Together with the number of the case this is the seed of its own source of chance: no case depends on another. */
export function caseOf(seed: number, number: number): Case {
  const random = createRandom(mix(seed, number));
  const total = GENERATORS.reduce((sum, [share]) => sum + share, 0);
  let at = random.below(total);
  for (const [share, kind, generate] of GENERATORS) {
    if (at < share) return { kind, ...generate(random) };
    at -= share;
  }
  throw new Error("the shares do not add up");
}

/** Neighbouring numbers must not give similar seeds: the finalizer of MurmurHash3 over both. */
function mix(seed: number, number: number): number {
  let mixed = Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
