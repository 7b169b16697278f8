import { expect, test } from "bun:test";
import { createTable } from "../../../src/auth/table.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";

function make(maxEntries: number, ttlMs: number) {
  const runtime = createFakeRuntime();
  return { runtime, table: createTable<number>({ maxEntries, ttlMs, runtime }) };
}

test("holds what was set, under its key", () => {
  const { table } = make(10, 1000);
  table.set("a", 1);
  table.set("b", 2);
  expect([table.get("a"), table.get("b"), table.get("c")]).toEqual([1, 2, undefined]);
});

test("forgets after its time, to the millisecond", () => {
  const { runtime, table } = make(10, 1000);
  table.set("a", 1);
  runtime.advance(999);
  expect(table.get("a")).toBe(1);
  runtime.advance(1);
  expect(table.get("a")).toBeUndefined();
});

test("neither reading nor replacing lengthens the time", () => {
  const { runtime, table } = make(10, 1000);
  table.set("read", 1);
  table.set("replaced", 1);
  runtime.advance(600);
  table.get("read");
  table.set("replaced", 2);
  expect(table.get("replaced")).toBe(2);
  runtime.advance(400);
  expect([table.get("read"), table.get("replaced")]).toEqual([undefined, undefined]);
});

test("lets the expired go when the next comes, and only them", () => {
  const { runtime, table } = make(10, 1000);
  table.set("a", 1);
  table.set("b", 2);
  runtime.advance(500);
  table.set("c", 3);
  runtime.advance(500);
  table.set("d", 4);
  expect(table.size()).toBe(2);
  expect([table.get("c"), table.get("d")]).toEqual([3, 4]);
});

test("an entry that comes back after its time has all of it again", () => {
  const { runtime, table } = make(10, 1000);
  table.set("again", 1);
  runtime.advance(1000);
  table.set("again", 2);
  expect(table.size()).toBe(1);
  runtime.advance(999);
  table.set("other", 1);
  expect(table.get("again")).toBe(2);
});

test("full, gives up the oldest", () => {
  const { table } = make(3, 1000);
  for (const key of ["a", "b", "c"]) table.set(key, 1);
  table.set("b", 2);
  table.set("d", 1);
  expect(["a", "b", "c", "d"].map((key) => table.get(key))).toEqual([undefined, 2, 1, 1]);
  expect(table.size()).toBe(3);
  for (const key of ["e", "f", "g", "h"]) table.set(key, 1);
  expect([..."abcdefgh"].filter((key) => table.get(key) !== undefined)).toEqual(["f", "g", "h"]);
});

test("agrees with a plain list, whatever happens in which order", () => {
  const { runtime, table } = make(5, 10);
  let expected: { key: string; value: number; endsMs: number }[] = [];
  for (let i = 0; i < 20_000; i++) {
    runtime.advance(Math.floor(runtime.random() * 4));
    const key = `k${Math.floor(runtime.random() * 9)}`;
    const nowMs = runtime.monotonicMs();
    expected = expected.filter(({ endsMs }) => endsMs > nowMs);
    const held = expected.find((entry) => entry.key === key);
    if (held === undefined) expected = [...expected, { key, value: i, endsMs: nowMs + 10 }].slice(-5);
    else held.value = i;
    table.set(key, i);
    expect(table.size()).toBe(expected.length);
    for (const { key: heldKey, value } of expected) expect(table.get(heldKey)).toBe(value);
  }
});

test("full, setting a key that it holds costs no other its place", () => {
  const { table } = make(2, 1000);
  table.set("a", 1);
  table.set("b", 1);
  table.set("b", 2);
  expect([table.get("a"), table.get("b")]).toEqual([1, 2]);
});

test("stays within its bound for a million keys, as time passes and as it stands still", () => {
  for (const stepMs of [0, 1]) {
    const { runtime, table } = make(1000, 300);
    let largest = 0;
    for (let i = 0; i < 500_000; i++) {
      table.set(`key-${i}`, i);
      largest = Math.max(largest, table.size());
      runtime.advance(stepMs);
    }
    expect(largest).toBe(stepMs === 0 ? 1000 : 300);
    expect(table.get("key-499999")).toBe(499_999);
  }
});
