import { describe, expect, test } from "bun:test";
import { createRandom } from "../support/random.ts";
import { type Allowance, judge, type Point } from "./verdict.ts";

const MEMORY: Allowance = { share: 0.1, least: 10, rank: 0.25 };
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

/** A sample every two seconds: `value` of the seconds, and noise of up to `noise` on top. */
function points(seed: number, lengthS: number, noise: number, value: (atS: number) => number): Point[] {
  const random = createRandom(seed);
  return Array.from({ length: lengthS / 2 }, (_, at) => [
    at * 2,
    value(at * 2) + (random.below(1_000_000) / 1_000_000) * noise,
  ]);
}

describe("a leak", () => {
  test.each(SEEDS)("under noise grows (seed %d)", (seed) => {
    const leak = points(seed, 180, 15, (atS) => 60 + atS * 0.2);
    expect(judge(leak, 60, MEMORY)).toMatchObject({ isGrowth: true });
  });

  test.each(SEEDS)("in steps, as tables double, grows (seed %d)", (seed) => {
    const leak = points(seed, 180, 5, (atS) => 60 + Math.floor(atS / 20) * 5);
    expect(judge(leak, 60, MEMORY)).toMatchObject({ isGrowth: true });
  });

  test("of one socket in a second grows", () => {
    const leak = points(1, 180, 20, (atS) => 300 + atS);
    expect(judge(leak, 60, { share: 0.1, least: 15 })).toMatchObject({ isGrowth: true });
  });
});

describe("no leak", () => {
  test.each(SEEDS)("is a flat line under noise (seed %d)", (seed) => {
    expect(
      judge(
        points(seed, 180, 25, () => 60),
        60,
        MEMORY,
      ).isGrowth,
    ).toBe(false);
  });

  test.each(SEEDS)("are the teeth of a garbage collector (seed %d)", (seed) => {
    const teeth = points(seed, 180, 3, (atS) => 60 + (atS % 37));
    expect(judge(teeth, 60, MEMORY).isGrowth).toBe(false);
  });

  test("is what happens before the base", () => {
    const warmUp = points(1, 180, 3, (atS) => Math.min(100, 20 + atS * 1.5));
    expect(judge(warmUp, 60, MEMORY).isGrowth).toBe(false);
    expect(judge(warmUp, 0, MEMORY).isGrowth).toBe(true);
  });

  test("is a spike, or a late step, of a machine with other work", () => {
    const spike = points(1, 180, 3, (atS) => (atS > 150 && atS < 165 ? 150 : 60));
    expect(judge(spike, 60, MEMORY).isGrowth).toBe(false);
    const late = points(1, 180, 3, (atS) => (atS > 155 ? 80 : 60));
    expect(judge(late, 60, MEMORY).isGrowth).toBe(false);
  });

  test("is shrinking, and growth within the allowance", () => {
    expect(
      judge(
        points(1, 180, 1, (atS) => 100 - atS * 0.3),
        60,
        MEMORY,
      ).isGrowth,
    ).toBe(false);
    expect(
      judge(
        points(1, 180, 1, (atS) => 60 + atS * 0.04),
        60,
        MEMORY,
      ).isGrowth,
    ).toBe(false);
  });
});

test("the allowance is the larger of the share and the least", () => {
  expect(
    judge(
      points(1, 60, 0, () => 1000),
      0,
      MEMORY,
    ).allowance,
  ).toBeCloseTo(100);
  expect(
    judge(
      points(1, 60, 0, () => 10),
      0,
      MEMORY,
    ).allowance,
  ).toBe(10);
});

test("too few samples give no verdict", () => {
  expect(() =>
    judge(
      points(1, 12, 0, () => 1),
      0,
      MEMORY,
    ),
  ).toThrow("6 samples after the base are too few");
});
