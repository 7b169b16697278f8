import { describe, expect, test } from "bun:test";
import { createConflator, type Offer } from "../../src/backplane/conflate.ts";
import { KEY_MAX_CHARS } from "../../src/protocol/conflation.ts";
import {
  type ConflateBench,
  createConflateBench,
  offerOf,
  other,
  progress,
  rate,
} from "../support/conflate-bench.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

// PROTOCOL.md, section 5: what goes out when.

const CASES: Record<string, { run: (bench: ConflateBench) => void; events: string[] }> = {
  "the first message of a key goes out at once": {
    run: ({ offer }) => {
      offer([progress("a")]);
    },
    events: ["0 a"],
  },
  "the latest goes out at the end of the window, and opens another": {
    run: ({ offer, runtime }) => {
      offer([progress("a")]);
      offer([progress("b")]);
      runtime.advance(60);
      offer([progress("c")]);
      runtime.advance(90);
      offer([progress("d")]);
    },
    events: ["0 a", "60 b→c", "100 c", "200 d"],
  },
  "a window in which nothing came is forgotten": {
    run: ({ offer, runtime }) => {
      offer([progress("a")]);
      runtime.advance(100);
      offer([progress("b")]);
      runtime.advance(99);
      offer([progress("c")]);
      runtime.advance(1_000);
      offer([progress("d")]);
    },
    events: ["0 a", "100 b", "200 c", "1199 d"],
  },
  "keys have windows of their own": {
    run: ({ offer, runtime }) => {
      offer([progress("a1", "a"), progress("b1", "b")]);
      runtime.advance(50);
      offer([progress("c1", "c"), progress("a2", "a"), progress("c2", "c")]);
    },
    events: ["0 a1 b1", "50 c1", "100 a2", "150 c2"],
  },
  "rules have windows of their own, also for the same value": {
    run: ({ offer }) => {
      offer([progress("p1"), rate("r1")]);
      offer([progress("p2"), rate("r2")]);
    },
    events: ["0 p1 r1", "100 p2", "250 r2"],
  },
  "windows that end together are published in one step": {
    run: ({ offer }) => {
      offer([progress("a1", "a"), progress("b1", "b")]);
      offer([progress("b2", "b"), progress("a2", "a")]);
    },
    events: ["0 a1 b1", "100 a2 b2"],
  },
  "an uncovered message goes behind everything held back, the earliest arrival first": {
    run: ({ offer, runtime }) => {
      offer([progress("a1", "a"), rate("b1", "b"), progress("c1", "c")]);
      offer([progress("a2", "a"), rate("b2", "b"), progress("c2", "c"), progress("a3", "a")]);
      runtime.advance(10);
      offer([other("x")]);
    },
    events: ["0 a1 b1 c1", "0 a2→a3", "10 b2 c2 a3 x"],
  },
  "the windows run on behind an uncovered message": {
    run: ({ offer, runtime }) => {
      offer([progress("a"), progress("b")]);
      runtime.advance(50);
      offer([other("x")]);
      offer([progress("c")]);
    },
    events: ["0 a", "50 b x", "100 c"],
  },
  "an uncovered message with nothing held back goes out alone": {
    run: ({ offer }) => {
      offer([progress("a")]);
      offer([other("x")]);
      offer([offerOf(undefined, { id: "d" }, "y")]);
    },
    events: ["0 a", "0 x", "0 y"],
  },
  "a batch goes out in one step, in its order": {
    run: ({ offer }) => {
      offer([progress("a"), progress("b"), progress("c"), other("x"), progress("d"), rate("r"), other("y")]);
    },
    events: ["0 b→c", "0 a c x r d y"],
  },
  "an empty batch, a flush of nothing and the end of an empty window publish nothing": {
    run: ({ offer, flush, stop, runtime }) => {
      offer([]);
      flush();
      offer([progress("a")]);
      runtime.advance(1_000);
      stop();
    },
    events: ["0 a"],
  },
  "a string and a number are different values": {
    run: ({ offer }) => {
      offer([progress("s1", "1"), progress("n1", 1)]);
      offer([progress("s2", "1"), progress("n2", 1), progress("n3", 1)]);
    },
    events: ["0 s1 n1", "0 n2→n3", "100 s2 n3"],
  },
  "the values of an empty string, zero and a fraction are covered": {
    run: ({ offer }) => {
      for (const id of ["", 0, 1.5]) offer([progress(`${id}a`, id), progress(`${id}b`, id)]);
    },
    events: ["0 a", "0 0a", "0 1.5a", "100 b 0b 1.5b"],
  },
  "a flush publishes everything held back, and the windows run on": {
    run: ({ offer, flush, runtime }) => {
      offer([progress("a1", "a"), rate("b1", "b"), rate("b2", "b"), progress("a2", "a")]);
      runtime.advance(40);
      flush();
      flush();
      offer([progress("a3", "a")]);
    },
    events: ["0 a1 b1", "40 b2 a2", "100 a3"],
  },
  "a stop publishes everything held back, and what follows goes straight through": {
    run: ({ offer, stop, runtime }) => {
      offer([progress("a"), progress("b"), rate("r"), rate("s")]);
      runtime.advance(40);
      stop();
      offer([progress("c")]);
      offer([progress("d"), rate("t")]);
      stop();
    },
    events: ["0 a r", "40 b s", "40 c", "40 d t"],
  },
  "a timer that comes late prolongs the window": {
    run: ({ offer, runtime }) => {
      offer([progress("a1", "a")]);
      runtime.advance(30);
      offer([progress("b1", "b"), progress("a2", "a"), progress("b2", "b")]);
      runtime.stall(500);
      offer([progress("a3", "a")]);
    },
    events: ["0 a1", "30 b1", "530 a2 b2", "630 a3"],
  },
  "more bytes than the limit are not held back": {
    run: ({ offer, runtime }) => {
      offer([progress("a", "a"), progress("b", "b")]);
      offer([progress("A".repeat(600), "a")]);
      offer([progress("B".repeat(400), "b")]);
      runtime.advance(50);
      offer([progress("A".repeat(601), "a")]);
      offer([progress("z", "a")]);
    },
    events: [
      "0 a b",
      `50 ${"A".repeat(600)}→${"A".repeat(601)}`,
      `50 ${"B".repeat(400)} ${"A".repeat(601)}`,
      "100 z",
    ],
  },
};

const UNCOVERED: Record<string, Offer<string>> = {
  "of no type": offerOf(undefined, { id: "d" }, "x"),
  "of another type": other("x"),
  "of a type that differs in case": offerOf("progress", { id: "d" }, "x"),
  "without the key": offerOf("PROGRESS", {}, "x"),
  "with null as key": progress("x", null),
  "with true as key": progress("x", true),
  "with an array as key": progress("x", ["d"]),
  "with an object as key": progress("x", { id: "d" }),
  "with a key that JSON's numbers cannot hold": progress("x", JSON.parse("1e400")),
  "with a 64-bit integer as key, which reading has rounded": progress("x", JSON.parse("9007199254740993")),
  "with a negative 64-bit integer as key": progress("x", JSON.parse("-9007199254740993")),
  "with an overlong key": progress("x", "k".repeat(KEY_MAX_CHARS + 1)),
};

describe("createConflator", () => {
  for (const [name, { run, events }] of Object.entries(CASES)) {
    test(name, () => {
      const bench = createConflateBench();
      run(bench);
      bench.runtime.advance(1_000);
      expect(bench.events).toEqual(events);
      expect(bench.stats()).toMatchObject({ openWindows: 0, held: 0, heldBytes: 0 });
      expect(bench.runtime.timerCount()).toBe(0);
    });
  }

  for (const [name, message] of Object.entries(UNCOVERED)) {
    test(`a message ${name} is uncovered`, () => {
      const { offer, events } = createConflateBench();
      offer([progress("a"), progress("b")]);
      offer([message]);
      offer([message]);
      expect(events).toEqual(["0 a", "0 b x", "0 x"]);
    });
  }

  test("the longest key is covered", () => {
    const { offer, events } = createConflateBench();
    const id = "k".repeat(KEY_MAX_CHARS);
    offer([progress("a", id), progress("b", id), progress("c", id)]);
    expect(events).toEqual(["0 b→c", "0 a"]);
  });

  test("a rule for a name that every object has covers only a message that has it itself", () => {
    const events: string[] = [];
    const rules = [{ type: "PROGRESS", key: "__proto__", windowMs: 100 }];
    const { offer } = createConflator<string>({
      rules,
      runtime: createFakeRuntime(),
      heldLimitBytes: 1_000,
      sizeOf: (item) => item.length,
      publish: (items) => void events.push(items.join(" ")),
      supersede: (older, newer) => void events.push(`${older}→${newer}`),
    });
    const message = (item: string, json: string) => offerOf("PROGRESS", JSON.parse(json), item, rules);
    offer([message("a", "{}"), message("b", "{}")]);
    offer([message("c", '{"__proto__":"d"}'), message("d", '{"__proto__":"d"}')]);
    expect(events).toEqual(["a b", "c"]);
  });
});
