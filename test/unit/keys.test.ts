import { describe, expect, test } from "bun:test";
import type { KeyRecord } from "../../src/backplane/backplane.ts";
import { createKeys, KEY_TTL_MS, KEYS_LIMIT, KEYS_LIMIT_BYTES, type Keys } from "../../src/backplane/keys.ts";

// Idempotency keys live for ten minutes; a full table takes no new ones rather than forget any.

function record(key: string, atMs = 0, answer = "{}"): KeyRecord {
  return { key, digest: "d", answer, atMs };
}

function filled(count: number, atMs = 0): Keys {
  const keys = createKeys();
  for (let number = 0; number < count; number++) keys.add(record(`k${number}`, atMs));
  return keys;
}

test("an empty table knows no key", () => {
  const keys = createKeys();
  expect([keys.find("k", 0), keys.find("__proto__", 0), keys.count()]).toEqual([undefined, undefined, 0]);
});

describe("a key is known for ten minutes", () => {
  test.each([
    [0, true],
    [1, true],
    [KEY_TTL_MS, true],
    [KEY_TTL_MS + 1, false],
    [10 * KEY_TTL_MS, false],
  ])("after %d ms: %p", (laterMs, isKnown) => {
    const keys = createKeys();
    const kept = record("k", 5_000);
    keys.add(kept);
    expect(keys.find("k", 5_000 + laterMs)).toEqual(isKnown ? kept : undefined);
  });

  test("and dropped when it is asked to expire, the oldest first", () => {
    const keys = createKeys();
    for (const atMs of [0, 100, 200]) keys.add(record(`k${atMs}`, atMs));
    const counts = [KEY_TTL_MS, KEY_TTL_MS + 1, KEY_TTL_MS + 150, KEY_TTL_MS + 201].map((nowMs) => {
      keys.expire(nowMs);
      return keys.count();
    });
    expect(counts).toEqual([3, 2, 1, 0]);
  });
});

describe("the same key again", () => {
  test("replaces the record and is counted once", () => {
    const keys = createKeys();
    keys.add(record("k", 0, "old"));
    keys.add(record("k", 1, "new"));
    expect([keys.find("k", 1)?.answer, keys.count()]).toEqual(["new", 1]);
  });

  test("lives from its newer time on, and keeps no other from expiring", () => {
    const keys = createKeys();
    keys.add(record("a", 0));
    keys.add(record("b", 100));
    keys.add(record("a", 200));
    keys.expire(KEY_TTL_MS + 150);
    expect([keys.find("a", KEY_TTL_MS + 150)?.atMs, keys.count()]).toEqual([200, 1]);
  });

  test("takes only its own bytes of the room", () => {
    const keys = createKeys();
    const half = "x".repeat(KEYS_LIMIT_BYTES / 2);
    for (let repeat = 0; repeat < 5; repeat++) keys.add(record("k", 0, half));
    expect(keys.fits([record("other", 0, half.slice(10))], 0)).toBe(true);
    expect(keys.fits([record("other", 0, half)], 0)).toBe(false);
  });
});

describe("room", () => {
  test.each([
    [0, 1, true],
    [0, KEYS_LIMIT, true],
    [0, KEYS_LIMIT + 1, false],
    [KEYS_LIMIT - 1, 1, true],
    [KEYS_LIMIT - 1, 2, false],
    [KEYS_LIMIT, 0, true],
    [KEYS_LIMIT, 1, false],
  ])("beside %d keys for %d more: %p", (present, more, fits) => {
    const added = Array.from({ length: more }, (_, number) => record(`new${number}`));
    expect(filled(present).fits(added, 0)).toBe(fits);
  });

  test.each([
    [0, true],
    [1, false],
  ])("for the bytes that are left and %d more: %p", (extra, fits) => {
    const keys = createKeys();
    keys.add(record("k", 0, "x".repeat(1_000)));
    const usedBytes = "k".length + "d".length + 1_000;
    const leftBytes = KEYS_LIMIT_BYTES - usedBytes;
    const added = record("n", 0, "y".repeat(leftBytes - "nd".length + extra));
    expect(keys.fits([added], 0)).toBe(fits);
  });

  test("comes back when keys expire, without anybody asking for it", () => {
    const keys = filled(KEYS_LIMIT);
    expect(keys.fits([record("new")], KEY_TTL_MS)).toBe(false);
    expect(keys.fits([record("new")], KEY_TTL_MS + 1)).toBe(true);
    expect(keys.count()).toBe(0);
  });

  test("asking for it takes none", () => {
    const keys = createKeys();
    for (let number = 0; number < 10; number++) keys.fits([record(`k${number}`)], 0);
    expect([keys.count(), keys.find("k0", 0)]).toEqual([0, undefined]);
  });
});
