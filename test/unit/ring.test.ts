import { describe, expect, test } from "bun:test";
import type { Entry } from "../../src/backplane/backplane.ts";
import { createRing, type Ring, type RingLimits } from "../../src/backplane/ring.ts";
import { createRandom } from "../support/random.ts";

// The newest entries, bounded by number, bytes and age, and read page by page.

const WIDE: RingLimits = { messages: 1_000_000, bytes: 1_000_000_000, ageMs: 1_000_000_000 };
const ANY = Number.POSITIVE_INFINITY;

function entry(offset: number, byteCount = 10, atMs = 0): Entry {
  return { offset, cursor: `c-${offset}`, text: `${offset}`, byteCount, type: undefined, atMs };
}

/** A ring with entries `from` … `to`. */
function filled(limits: Partial<RingLimits>, from: number, to: number, byteCount = 10): Ring {
  const ring = createRing({ ...WIDE, ...limits }, from - 1);
  for (let offset = from; offset <= to; offset++) ring.push(entry(offset, byteCount));
  return ring;
}

function offsets(
  ring: Ring,
  after: number,
  upTo = ANY,
  limitMessages = ANY,
  limitBytes = ANY,
): number[] | "evicted" {
  const page = ring.read(after, upTo, limitMessages, limitBytes);
  return page.evicted ? "evicted" : page.entries.map(({ offset }) => offset);
}

describe("bounds", () => {
  const cases: Record<string, { ring: Ring; first: number; last: number; bytes: number }> = {
    "an empty ring begins behind what was last written": {
      ring: createRing(WIDE, 41),
      first: 42,
      last: 41,
      bytes: 0,
    },
    "below every bound all is kept": { ring: filled({}, 1, 5), first: 1, last: 5, bytes: 50 },
    "as many messages as allowed": { ring: filled({ messages: 5 }, 1, 5), first: 1, last: 5, bytes: 50 },
    "one message more": { ring: filled({ messages: 5 }, 1, 6), first: 2, last: 6, bytes: 50 },
    "one message": { ring: filled({ messages: 1 }, 1, 1000), first: 1000, last: 1000, bytes: 10 },
    "as many bytes as allowed": { ring: filled({ bytes: 50 }, 1, 5), first: 1, last: 5, bytes: 50 },
    "one byte more": { ring: filled({ bytes: 49 }, 1, 5), first: 2, last: 5, bytes: 40 },
    "the newest stays, however large": { ring: filled({ bytes: 5 }, 1, 3), first: 3, last: 3, bytes: 10 },
    "offsets that do not begin at 1": {
      ring: filled({ messages: 2 }, 700, 710),
      first: 709,
      last: 710,
      bytes: 20,
    },
    "far more than fits": {
      ring: filled({ messages: 100 }, 1, 10_000),
      first: 9_901,
      last: 10_000,
      bytes: 1_000,
    },
  };
  test.each(Object.keys(cases))("%s", (name) => {
    const { ring, first, last, bytes } = cases[name] as (typeof cases)[string];
    expect([ring.firstOffset(), ring.lastOffset()]).toEqual([first, last]);
    expect(ring.fill()).toEqual({ messages: last - first + 1, bytes });
  });

  test("a large entry pushes several small ones out", () => {
    const ring = filled({ bytes: 50 }, 1, 5);
    ring.push(entry(6, 35));
    expect([ring.firstOffset(), ring.fill().bytes]).toEqual([5, 45]);
  });
});

describe("age", () => {
  const aged = (): Ring => {
    const ring = createRing({ ...WIDE, ageMs: 100 }, 0);
    for (const [index, atMs] of [0, 10, 10, 30].entries()) ring.push(entry(index + 1, 10, atMs));
    return ring;
  };
  test.each([
    [0, 1],
    [100, 1],
    [101, 2],
    [110, 2],
    [111, 4],
    [130, 4],
    [131, 5],
    [1e9, 5],
  ])("at %d ms the oldest held is %d", (nowMs, first) => {
    const ring = aged();
    ring.expire(nowMs);
    expect([ring.firstOffset(), ring.lastOffset(), ring.fill()]).toEqual([
      first,
      4,
      { messages: 5 - first, bytes: (5 - first) * 10 },
    ]);
  });

  test("what comes after everything has expired goes on from there", () => {
    const ring = aged();
    ring.expire(1_000);
    expect([offsets(ring, 4), offsets(ring, 3)]).toEqual([[], "evicted"]);
    ring.push(entry(5, 10, 1_000));
    expect([offsets(ring, 4), offsets(ring, 3)]).toEqual([[5], "evicted"]);
  });
});

describe("read", () => {
  const ring = filled({ messages: 6 }, 1, 10);
  const cases: Record<
    string,
    [after: number, upTo: number, messages: number, bytes: number, number[] | "evicted"]
  > = {
    "everything that is held": [4, ANY, ANY, ANY, [5, 6, 7, 8, 9, 10]],
    "from the middle": [7, ANY, ANY, ANY, [8, 9, 10]],
    "nothing at the head": [10, ANY, ANY, ANY, []],
    "nothing beyond the head": [99, ANY, ANY, ANY, []],
    "one before what is held": [3, ANY, ANY, ANY, "evicted"],
    "long before what is held": [0, ANY, ANY, ANY, "evicted"],
    "up to an offset": [4, 7, ANY, ANY, [5, 6, 7]],
    "up to where it stands": [7, 7, ANY, ANY, []],
    "a page of so many messages": [4, ANY, 2, ANY, [5, 6]],
    "a page of so many bytes": [4, ANY, ANY, 30, [5, 6, 7]],
    "a byte short of another": [4, ANY, ANY, 29, [5, 6]],
    "one at least, however small the page": [4, ANY, ANY, 1, [5]],
    "the tightest bound counts": [4, 9, 3, 20, [5, 6]],
  };
  test.each(Object.keys(cases))("%s", (name) => {
    const [after, upTo, messages, bytes, expected] = cases[name] as (typeof cases)[string];
    expect(offsets(ring, after, upTo, messages, bytes)).toEqual(expected);
  });

  test("pages put together are the whole", () => {
    const long = filled({ messages: 500 }, 1, 2_000);
    const seen: number[] = [];
    for (let after = 1_500; after < 2_000; ) {
      const page = offsets(long, after, ANY, 7, 55);
      if (page === "evicted" || page.length === 0) throw new Error(`no page after ${after}`);
      seen.push(...page);
      after = page.at(-1) ?? after;
    }
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => 1_501 + index));
  });
});

test("any order of pushes, expiries and reads, against a plain array", () => {
  let largest = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = createRandom(seed);
    // Every third one grows well beyond the first size of the ring's own memory.
    const scale = seed % 3 === 0 ? 20 : 1;
    const limits = {
      messages: 1 + random.below(200 * scale),
      bytes: (50 + random.below(9_000)) * scale,
      ageMs: random.below(500),
    };
    let last = random.below(5_000);
    const ring = createRing(limits, last);
    const model: Entry[] = [];
    let bytes = 0;
    const dropOldest = (): void => {
      bytes -= model.shift()?.byteCount ?? 0;
    };
    let nowMs = 0;
    for (let step = 0; step < 400; step++) {
      nowMs += random.below(4);
      if (random.below(100) === 0) nowMs += limits.ageMs;
      for (let count = 1 + random.below(3 * scale); count > 0; count--) {
        const pushed = entry(++last, random.below(60), nowMs);
        ring.push(pushed);
        model.push(pushed);
        bytes += pushed.byteCount;
        while (model.length > limits.messages || (bytes > limits.bytes && model.length > 1)) dropOldest();
      }
      if (random.below(3) === 0) {
        ring.expire(nowMs);
        while (model[0] !== undefined && nowMs - model[0].atMs > limits.ageMs) dropOldest();
      }
      largest = Math.max(largest, model.length);
      const first = model[0]?.offset ?? last + 1;
      const after = last - random.below(250 * scale);
      const held = model.filter(({ offset }) => offset > after).map(({ offset }) => offset);
      const found = { first: ring.firstOffset(), fill: ring.fill(), read: offsets(ring, after) };
      expect({ seed, step, ...found }).toEqual({
        ...{ seed, step, first, fill: { messages: model.length, bytes } },
        read: after < first - 1 ? "evicted" : held,
      });
    }
  }
  expect(largest).toBeGreaterThan(2_048);
});
