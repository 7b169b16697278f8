import { expect, test } from "bun:test";
import { clientAddress } from "../../../src/auth/address.ts";
import { createFailureLimiter, FAILURE_NETWORKS_MAX, FAILURE_WINDOW_MS } from "../../../src/auth/failures.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";

const ADDRESS = "192.0.2.1";

function make(maxPerMinute = 10) {
  const runtime = createFakeRuntime();
  // A clock that does not stand at a round number.
  runtime.advance(12_345);
  return { runtime, limiter: createFailureLimiter(runtime, maxPerMinute) };
}

test("answers ten wrong secrets as ever, and the eleventh with the rest of the minute", () => {
  const { limiter } = make();
  for (let i = 0; i < 10; i++) expect(limiter.count(ADDRESS)).toEqual({ retryAfterS: 0, crossed: false });
  expect(limiter.count(ADDRESS)).toEqual({ retryAfterS: 60, crossed: true });
});

test("says only once that the limit was crossed", () => {
  const { limiter } = make(1);
  limiter.count(ADDRESS);
  const crossed = Array.from({ length: 50 }, () => limiter.count(ADDRESS).crossed);
  expect(crossed).toEqual([true, ...new Array<boolean>(49).fill(false)]);
});

test("a limit of one answers one", () => {
  const { limiter } = make(1);
  expect(limiter.count(ADDRESS).retryAfterS).toBe(0);
  expect(limiter.count(ADDRESS).retryAfterS).toBe(60);
});

test("Retry-After is whole seconds, never too early and never 0", () => {
  const { runtime, limiter } = make(1);
  limiter.count(ADDRESS);
  runtime.advance(1);
  expect(limiter.count(ADDRESS).retryAfterS).toBe(60);
  runtime.advance(999);
  expect(limiter.count(ADDRESS).retryAfterS).toBe(59);
  runtime.advance(FAILURE_WINDOW_MS - 1001);
  expect(limiter.count(ADDRESS).retryAfterS).toBe(1);
});

test("whoever waits as long as told is answered again", () => {
  const { runtime, limiter } = make(3);
  for (let i = 0; i < 3; i++) limiter.count(ADDRESS);
  runtime.advance(20_000);
  const { retryAfterS } = limiter.count(ADDRESS);
  runtime.advance(retryAfterS * 1000);
  expect(limiter.count(ADDRESS).retryAfterS).toBe(0);
});

test("trying on does not lengthen the wait, nor does it shorten it", () => {
  const { runtime, limiter } = make(3);
  let answered = 0;
  for (let i = 0; i < 600; i++) {
    if (limiter.count(ADDRESS).retryAfterS === 0) answered += 1;
    runtime.advance(1000);
  }
  // Ten minutes, three in each.
  expect(answered).toBe(30);
});

test("addresses are counted apart", () => {
  const { limiter } = make(1);
  limiter.count(ADDRESS);
  expect(limiter.count(ADDRESS).retryAfterS).toBeGreaterThan(0);
  expect(limiter.count("192.0.2.2").retryAfterS).toBe(0);
});

test("an IPv6 /64 is one address", () => {
  const { limiter } = make(2);
  const answers = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(
    (address) => limiter.count(address).retryAfterS > 0,
  );
  expect(answers).toEqual([false, false, true, false]);
});

test("a forged X-Forwarded-For opens no new count", () => {
  const { limiter } = make(10);
  const answers = Array.from({ length: 20 }, (_, i) => {
    const forged = `203.0.113.${i}, ${ADDRESS}`;
    return limiter.count(clientAddress("10.0.0.1", forged, 1)).retryAfterS > 0;
  });
  expect(answers.filter(Boolean)).toHaveLength(10);
  expect(limiter.size()).toBe(1);
});

test("0 switches it off", () => {
  const { limiter } = make(0);
  for (let i = 0; i < 1000; i++) expect(limiter.count(ADDRESS).retryAfterS).toBe(0);
  expect(limiter.size()).toBe(0);
});

test("ten thousand wrong secrets from one address are limited and take one place", () => {
  const { limiter } = make();
  const answered = Array.from({ length: 10_000 }, () => limiter.count(ADDRESS)).filter(
    ({ retryAfterS }) => retryAfterS === 0,
  );
  expect(answered).toHaveLength(10);
  expect(limiter.size()).toBe(1);
});

test("a million different addresses stay within the bound", () => {
  const { limiter } = make();
  let largest = 0;
  for (let i = 0; i < 500_000; i++) {
    limiter.count(`${10 + (i >> 24)}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
    limiter.count(`2001:db8:${(i >> 16).toString(16)}:${(i & 65_535).toString(16)}::1`);
    largest = Math.max(largest, limiter.size());
  }
  expect(largest).toBe(FAILURE_NETWORKS_MAX);
  // And the newest are still counted.
  for (let i = 0; i < 9; i++) limiter.count("10.7.161.31");
  expect(limiter.count("10.7.161.31").retryAfterS).toBeGreaterThan(0);
}, 120_000);
