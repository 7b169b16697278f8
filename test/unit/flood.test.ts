import { expect, test } from "bun:test";
import { createFloodGuard, type FloodLimits } from "../../src/hub/flood.ts";

const LIMITS: FloodLimits = { framesPerSecond: 10, bytesPerSecond: 1000, maxMessageBytes: 2000 };

/** One connection under this guard; `take` returns how many of so many equal frames are let through. */
function connect(limits: Partial<FloodLimits> = {}, startMs = 5_000) {
  const guard = createFloodGuard({ ...LIMITS, ...limits });
  const allowance = guard.start(startMs);
  return {
    allowance,
    one: (atMs: number, byteCount: number) => guard.take(allowance, startMs + atMs, byteCount),
    take(atMs: number, count: number, byteCount: number): number {
      let passed = 0;
      while (passed < count && guard.take(allowance, startMs + atMs, byteCount)) passed += 1;
      return passed;
    },
  };
}

test("a burst of ten seconds' frames passes, and not one more", () => {
  expect(connect().take(0, 1000, 4)).toBe(100);
});

test("a burst of ten seconds' bytes passes, and not one more", () => {
  expect(connect().take(0, 1000, 1000)).toBe(10);
  expect(connect().one(0, 10_000)).toBe(true);
  expect(connect().one(0, 10_001)).toBe(false);
});

test("the allowance comes back at its rate", () => {
  const connection = connect();
  expect(connection.take(0, 100, 4)).toBe(100);
  expect(connection.take(1000, 10, 4)).toBe(10);
  expect(connection.take(1100, 1, 4)).toBe(1);
  expect(connection.one(1150, 4)).toBe(false);
});

test("it does not grow beyond its burst, however long the silence", () => {
  expect(connect().take(86_400_000, 1000, 4)).toBe(100);
});

test("whoever keeps to the rate is never refused", () => {
  const connection = connect({ bytesPerSecond: 1_000_000 });
  for (let i = 0; i < 10_000; i++) expect(connection.one(i * 100, 100)).toBe(true);
});

test("whoever stays a little above it is refused in the end", () => {
  const connection = connect();
  let refusedAt = 0;
  for (let i = 0; i < 10_000 && refusedAt === 0; i++) if (!connection.one(i * 90, 4)) refusedAt = i;
  expect(refusedAt).toBeGreaterThan(100);
});

test("a dashboard that pings every 30 seconds is far from it", () => {
  const connection = connect();
  for (let i = 0; i < 10_000; i++) expect(connection.one(i * 30_000, 4)).toBe(true);
  expect(connection.allowance.frames).toBe(99);
});

test("the largest message that the hub takes is no flood by itself", () => {
  expect(connect({ maxMessageBytes: 1_048_576 }).one(0, 1_048_576)).toBe(true);
  expect(connect({ maxMessageBytes: 1_048_576 }).take(0, 3, 1_048_576)).toBe(1);
});

test("empty frames count as frames", () => {
  expect(connect().take(0, 1000, 0)).toBe(100);
});

test("0 frames per second is no limit on frames, 0 bytes none on bytes", () => {
  expect(connect({ framesPerSecond: 0 }).take(0, 5000, 2)).toBe(5000);
  expect(connect({ framesPerSecond: 0 }).take(0, 5001, 2)).toBe(5000);
  expect(connect({ bytesPerSecond: 0 }).one(0, 1_000_000_000)).toBe(true);
  expect(connect({ bytesPerSecond: 0 }).take(0, 1000, 1_000_000_000)).toBe(100);
  expect(connect({ framesPerSecond: 0, bytesPerSecond: 0 }).take(0, 100_000, 1_000_000)).toBe(100_000);
});

test("a clock that stands still or falls back gives nothing and takes nothing", () => {
  expect(connect().one(-60_000, 4)).toBe(true);
  const connection = connect();
  connection.take(0, 100, 4);
  expect(connection.one(0, 4)).toBe(false);
  expect(connection.one(-60_000, 4)).toBe(false);
});

test("connections do not share an allowance", () => {
  const guard = createFloodGuard(LIMITS);
  const [first, second] = [guard.start(0), guard.start(0)];
  while (guard.take(first, 0, 4));
  expect(guard.take(second, 0, 4)).toBe(true);
});
