import { expect, test } from "bun:test";
import { createBackoff } from "../../src/protocol/backoff.ts";

const limits = { firstMs: 100, limitMs: 1_000, stableMs: 5_000 };

function createClock(): { nowMs: number; monotonicMs: () => number } {
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  return clock;
}

/** The next delays, when chance gives the largest ones. */
function ceilings(backoff: { nextDelayMs(): number }, count: number): number[] {
  return Array.from({ length: count }, () => backoff.nextDelayMs());
}

test("delays are a random part of a ceiling that doubles up to the limit", () => {
  let chance = 1;
  const runtime = { ...createClock(), random: () => chance };
  const backoff = createBackoff({ runtime, ...limits });
  expect(ceilings(backoff, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  chance = 0.25;
  expect(backoff.nextDelayMs()).toBe(250);
  chance = 0;
  expect(backoff.nextDelayMs()).toBe(0);
});

test("the limit holds after any number of tries", () => {
  const backoff = createBackoff({ runtime: { ...createClock(), random: () => 1 }, ...limits });
  expect(ceilings(backoff, 5_000).at(-1)).toBe(1_000);
});

test("only a success that has lasted starts the delays anew", () => {
  const clock = createClock();
  const runtime = { monotonicMs: clock.monotonicMs, random: () => 1 };
  const backoff = createBackoff({ runtime, ...limits });
  expect(ceilings(backoff, 2)).toEqual([100, 200]);
  backoff.succeeded();
  clock.nowMs += limits.stableMs - 1;
  expect(backoff.nextDelayMs()).toBe(400);
  backoff.succeeded();
  clock.nowMs += limits.stableMs;
  expect(ceilings(backoff, 2)).toEqual([100, 200]);
  // A success that was followed by a try counts no more.
  clock.nowMs += 10 * limits.stableMs;
  expect(backoff.nextDelayMs()).toBe(400);
});
