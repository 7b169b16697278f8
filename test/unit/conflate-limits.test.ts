import { describe, expect, test } from "bun:test";
import { createConflator, OPEN_WINDOWS_MAX } from "../../src/backplane/conflate.ts";
import { createConflateBench, other, progress, RULES, rate } from "../support/conflate-bench.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

// PROTOCOL.md, section 5: bounds, counters, and callers that fail or call back.

describe("createConflator", () => {
  test("without rules everything goes straight through", () => {
    const published: string[][] = [];
    const runtime = createFakeRuntime();
    const { offer } = createConflator<string>({
      rules: [],
      runtime,
      heldLimitBytes: 0,
      sizeOf: () => 1,
      publish: (items) => void published.push([...items]),
      supersede: () => expect.unreachable(),
    });
    offer([progress("a"), progress("b")]);
    offer([progress("c")]);
    expect(published).toEqual([["a", "b"], ["c"]]);
    expect(runtime.timerCount()).toBe(0);
  });

  test("counts what it superseded and what it holds", () => {
    const { offer, stats, runtime } = createConflateBench();
    expect(stats()).toEqual({ superseded: 0, openWindows: 0, held: 0, heldBytes: 0 });
    offer([progress("a", "a"), progress("b", "b"), rate("r", "a")]);
    offer([progress("long", "a"), progress("sh", "a"), progress("short", "b"), progress("sh", "a")]);
    expect(stats()).toEqual({ superseded: 2, openWindows: 3, held: 2, heldBytes: 7 });
    runtime.advance(100);
    expect(stats()).toEqual({ superseded: 2, openWindows: 3, held: 0, heldBytes: 0 });
    runtime.advance(100);
    expect(stats()).toEqual({ superseded: 2, openWindows: 1, held: 0, heldBytes: 0 });
    runtime.advance(50);
    expect(stats()).toEqual({ superseded: 2, openWindows: 0, held: 0, heldBytes: 0 });
  });

  test("counts no open window after a stop", () => {
    const { offer, stop, stats, runtime } = createConflateBench();
    offer([progress("a"), progress("b")]);
    stop();
    expect(stats()).toEqual({ superseded: 0, openWindows: 0, held: 0, heldBytes: 0 });
    expect(runtime.timerCount()).toBe(0);
  });

  test("with too many windows open, a message that would open another is uncovered", () => {
    const { offer, events, stats, runtime } = createConflateBench();
    offer([progress("first", "first")]);
    runtime.advance(50);
    events.length = 0;
    offer(Array.from({ length: OPEN_WINDOWS_MAX - 1 }, (_, id) => rate(`${id}`, id)));
    offer([rate("held", 7)]);
    expect(stats()).toMatchObject({ openWindows: OPEN_WINDOWS_MAX, held: 1 });
    events.length = 0;

    offer([rate("x", "new"), rate("y", "new"), progress("z", "new")]);
    offer([rate("old", 7)]);
    expect(events).toEqual(["50 held x y z"]);
    expect(stats()).toMatchObject({ openWindows: OPEN_WINDOWS_MAX, held: 1 });

    runtime.advance(50);
    offer([rate("roomForOne", "new"), rate("kept", "new")]);
    expect(events).toEqual(["50 held x y z", "100 roomForOne"]);
    runtime.advance(1_000);
    expect(events.slice(2)).toEqual(["300 old", "350 kept"]);
    expect(stats()).toMatchObject({ openWindows: 0, held: 0 });
  });

  test("10,000 windows need one timer", () => {
    const { offer, runtime } = createConflateBench();
    offer(Array.from({ length: 10_000 }, (_, id) => progress(`${id}`, id)));
    expect(runtime.timerCount()).toBe(1);
  });

  describe("when publishing fails", () => {
    const createFailing = () => {
      const runtime = createFakeRuntime();
      const tried: string[][] = [];
      const conflator = createConflator<string>({
        rules: RULES,
        runtime,
        heldLimitBytes: 1_000,
        sizeOf: (item) => item.length,
        publish(items) {
          tried.push([...items]);
          throw new Error("disk full");
        },
        supersede: () => undefined,
      });
      return { ...conflator, runtime, tried };
    };

    test("the caller of offer is told, and no item comes a second time", () => {
      const { offer, stats, tried } = createFailing();
      expect(() => offer([progress("a")])).toThrow("disk full");
      offer([progress("b")]);
      expect(() => offer([other("x")])).toThrow("disk full");
      expect(() => offer([other("y")])).toThrow("disk full");
      expect(tried).toEqual([["a"], ["b", "x"], ["y"]]);
      expect(stats()).toMatchObject({ openWindows: 1, held: 0, heldBytes: 0 });
    });

    test("the windows go on", () => {
      const { offer, runtime, tried } = createFailing();
      expect(() => offer([progress("a")])).toThrow("disk full");
      offer([progress("b")]);
      expect(() => runtime.advance(100)).toThrow("disk full");
      offer([progress("c")]);
      expect(() => runtime.advance(100)).toThrow("disk full");
      runtime.advance(1_000);
      expect(tried).toEqual([["a"], ["b"], ["c"]]);
      expect(runtime.timerCount()).toBe(0);
    });
  });

  test("messages may be offered while others are being published", () => {
    const runtime = createFakeRuntime();
    const published: string[] = [];
    const conflator = createConflator<string>({
      rules: RULES,
      runtime,
      heldLimitBytes: 1_000,
      sizeOf: (item) => item.length,
      publish(items) {
        published.push(...items);
        if (items.includes("b")) conflator.offer([progress("c"), other("status"), progress("d")]);
      },
      supersede: (older, newer) => expect.unreachable(`${older}→${newer}`),
    });
    conflator.offer([progress("a"), progress("b")]);
    runtime.advance(1_000);
    expect(published).toEqual(["a", "b", "c", "status", "d"]);
  });
});
