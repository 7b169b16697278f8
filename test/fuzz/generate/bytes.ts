import type { Random } from "../../support/random.ts";
import type { Ending, Step } from "../case.ts";

// What all generators are made of: chance, mutation, and how bytes are cut into writes.

/** True once in so many times. */
export function oneIn(random: Random, times: number): boolean {
  return random.below(times) === 0;
}

/** From `least` to `most` of what `make` makes. */
export function several<T>(random: Random, least: number, most: number, make: () => T): T[] {
  return Array.from({ length: least + random.below(most - least + 1) }, make);
}

/** Bytes that are no UTF-8, or that are when something follows them (RFC 3629). */
export const ODD_UTF8: readonly [Uint8Array, ...Uint8Array[]] = [
  Buffer.from("80", "hex"),
  Buffer.from("c080", "hex"),
  Buffer.from("c3", "hex"),
  Buffer.from("e282", "hex"),
  Buffer.from("eda080", "hex"),
  Buffer.from("f09f92", "hex"),
  Buffer.from("f4908080", "hex"),
  Buffer.from("fe", "hex"),
  Buffer.from("efbbbf", "hex"),
  Buffer.from("00", "hex"),
];

/** Changes a few bytes, or takes some out, doubles some, or puts odd ones in. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let mutated = Buffer.from(bytes);
  for (let left = 1 + random.below(4); left > 0 && mutated.length > 0; left -= 1) {
    const at = random.below(mutated.length);
    const until = Math.min(mutated.length, at + 1 + random.below(8));
    const [before, middle, after] = [
      mutated.subarray(0, at),
      mutated.subarray(at, until),
      mutated.subarray(until),
    ];
    switch (random.below(5)) {
      case 0:
        mutated = Buffer.concat([before, Buffer.from([random.below(256)]), mutated.subarray(at + 1)]);
        break;
      case 1:
        mutated = Buffer.concat([
          before,
          Buffer.from([(middle[0] ?? 0) ^ (1 << random.below(8))]),
          mutated.subarray(at + 1),
        ]);
        break;
      case 2:
        mutated = Buffer.concat([before, after]);
        break;
      case 3:
        mutated = Buffer.concat([before, middle, middle, after]);
        break;
      default:
        mutated = Buffer.concat([before, random.pick(ODD_UTF8), middle, after]);
    }
  }
  return mutated;
}

const BYTEWISE_LIMIT_BYTES = 600;

/** The writes in which bytes leave: all at once, in a few pieces, or one by one. */
export function segments(random: Random, bytes: Uint8Array): Step[] {
  const style = random.below(6);
  if (style < 3 || bytes.length < 2) return [{ write: bytes }];
  const cuts = new Set<number>();
  if (style === 5 && bytes.length <= BYTEWISE_LIMIT_BYTES) {
    for (let at = 1; at < bytes.length; at += 1) cuts.add(at);
  } else {
    for (let left = 1 + random.below(5); left > 0; left -= 1) cuts.add(1 + random.below(bytes.length - 1));
  }
  const steps: Step[] = [];
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    steps.push({ write: bytes.subarray(start, cut) }, { wait: "turn" });
    start = cut;
  }
  return [...steps, { write: bytes.subarray(start) }];
}

/** Most connections are read to their end, because there something can be learnt. */
export function ending(random: Random): Ending {
  const chance = random.below(20);
  if (chance < 14) return "fin";
  if (chance < 17) return "reset";
  return chance < 19 ? "hold" : "stall";
}
