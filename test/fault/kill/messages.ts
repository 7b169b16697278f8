import type { Random } from "../../support/random.ts";

/** The types that messages of a fault test have, and the filter of those who want only a part. */
export const TYPES = ["DOC_0", "DOC_1", "DOC_2", "DOC_3", "DOC_4"] as const;
export const FILTER = ["DOC_1", "DOC_3"] as const;

/** One in so many messages is larger than what a replay sends in one page. */
const LARGE_ONE_IN = 500;
const LARGE_CHARS = 150_000;

/** A message whose text says who sent it and as the how-manieth, of a size and with characters left to chance. */
export function makeMessage(random: Random, from: string, n: number): string {
  const isLarge = random.below(LARGE_ONE_IN) === 0;
  const pad = isLarge ? "x".repeat(LARGE_CHARS) : random.text(random.below(120));
  return JSON.stringify({ type: random.pick(TYPES), from, n, pad });
}
