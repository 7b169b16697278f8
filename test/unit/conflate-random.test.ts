import { describe, expect, test } from "bun:test";
import { createConflator, type Offer } from "../../src/backplane/conflate.ts";
import { createConflationKeys } from "../../src/protocol/conflation.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { createRandom } from "../support/random.ts";

// PROTOCOL.md, section 5, by random histories: what must hold for every one of them, whatever the order of events.

const RULES = [
  { type: "FAST", key: "id", windowMs: 10 },
  { type: "SLOW", key: "doc", windowMs: 35 },
];
const keyOf = createConflationKeys(RULES);
const VALUES = ["1", 1, "a", 2.5];
/** A timer comes so much late at most. */
const GRAIN_MS = 1;
const SEEDS = 300;
const STEPS = 200;

interface Item {
  /** The place in the order in which the items were offered. */
  readonly place: number;
  /** Undefined where the item is uncovered. */
  readonly key: string | undefined;
  readonly windowMs: number;
  readonly offeredMs: number;
}

interface Publication {
  readonly atMs: number;
  readonly items: readonly Item[];
  /** Whether it was brought about by a flush, a stop or an uncovered message: then the windows do not count. */
  readonly flushed: boolean;
}

interface History {
  readonly offered: Item[];
  readonly publications: Publication[];
  /** By the older item. */
  readonly superseded: Map<Item, Item>;
}

function record(seed: number): History {
  const runtime = createFakeRuntime();
  const { below } = createRandom(seed);
  const history: History = { offered: [], publications: [], superseded: new Map() };
  let flushing = false;

  const conflator = createConflator<Item>({
    rules: RULES,
    runtime,
    heldLimitBytes: 1_000,
    sizeOf: () => 1,
    publish(items) {
      const flushed = flushing || items.some(({ key }) => key === undefined);
      history.publications.push({ atMs: runtime.monotonicMs(), items: [...items], flushed });
    },
    supersede(older, newer) {
      if (history.superseded.has(older)) throw new Error(`item ${older.place} was superseded twice`);
      history.superseded.set(older, newer);
    },
  });
  const randomOffer = (): Offer<Item> => {
    const rule = RULES[below(RULES.length)];
    const value = VALUES[below(VALUES.length)];
    const covered = rule !== undefined && below(12) > 0;
    const item: Item = {
      place: history.offered.length,
      key: covered ? `${rule.type} ${JSON.stringify(value)}` : undefined,
      windowMs: covered ? rule.windowMs : 0,
      offeredMs: runtime.monotonicMs(),
    };
    history.offered.push(item);
    if (covered) return { type: rule.type, key: keyOf(rule.type, { [rule.key]: value }), item };
    return { type: below(2) === 0 ? rule?.type : "DOC_UPDATE", key: undefined, item };
  };

  for (let step = 0; step < STEPS; step++) {
    const choice = below(100);
    if (choice < 50) {
      conflator.offer([randomOffer()]);
    } else if (choice < 55) {
      conflator.offer(Array.from({ length: below(6) }, randomOffer));
    } else if (choice < 57) {
      flushing = true;
      conflator.flush();
      flushing = false;
    } else {
      // Also fractions, as real clocks have them, and pauses in which every window ends.
      runtime.advance(choice === 99 ? 100 : below(6_000) / 1_000);
    }
  }
  flushing = true;
  conflator.stop();
  if (runtime.timerCount() > 0) throw new Error("a timer is left after a stop");
  return history;
}

/** Where an item went out: the index of the publication, and of the item over all publications. */
interface Outcome {
  readonly publication: Publication;
  readonly place: number;
}

function outcomes({ publications }: History): Map<Item, Outcome> {
  const found = new Map<Item, Outcome>();
  for (const publication of publications) {
    for (const item of publication.items) {
      if (found.has(item)) throw new Error(`item ${item.place} was published twice`);
      found.set(item, { publication, place: found.size });
    }
  }
  return found;
}

/** The item that went out for this one: itself, or the last of those that superseded one another. */
function standIn(item: Item, { superseded }: History): Item {
  let latest = item;
  for (let newer = superseded.get(latest); newer !== undefined; newer = superseded.get(latest))
    latest = newer;
  return latest;
}

/** The published items of each key, in order. */
function publishedByKey(history: History): Map<string, [Item, Outcome][]> {
  const byKey = new Map<string, [Item, Outcome][]>();
  for (const [item, outcome] of outcomes(history)) {
    if (item.key === undefined) continue;
    const list = byKey.get(item.key) ?? [];
    byKey.set(item.key, list);
    list.push([item, outcome]);
  }
  return byKey;
}

const PROPERTIES: Record<string, (history: History) => void> = {
  "every item is either published or superseded by a later one of its key": (history) => {
    const published = outcomes(history);
    for (const item of history.offered) {
      const newer = history.superseded.get(item);
      expect(published.has(item)).toBe(newer === undefined);
      if (newer === undefined) continue;
      expect(newer.key).toBe(item.key);
      expect(newer.place).toBeGreaterThan(item.place);
    }
    expect(published.size + history.superseded.size).toBe(history.offered.length);
  },

  "the last of every key is published, and each key in its order": (history) => {
    const last = new Map<string, Item>();
    for (const item of history.offered) if (item.key !== undefined) last.set(item.key, item);
    const byKey = publishedByKey(history);
    expect([...byKey.keys()].sort()).toEqual([...last.keys()].sort());
    for (const [key, list] of byKey) {
      const places = list.map(([{ place }]) => place);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(list.at(-1)?.[0]).toBe(last.get(key) as Item);
    }
  },

  "no two of a key are published within one window, except by a flush": (history) => {
    for (const list of publishedByKey(history).values()) {
      for (const [index, [item, { publication }]] of list.entries()) {
        const next = list[index + 1]?.[1].publication;
        if (next === undefined || publication.flushed || next.flushed) continue;
        // The sum that the window's end is, not the difference: fractions of milliseconds round differently.
        expect(next.atMs).toBeGreaterThanOrEqual(publication.atMs + item.windowMs);
      }
    }
  },

  "nothing waits longer than its window, and nothing without a reason": (history) => {
    const published = outcomes(history);
    const lastMs = new Map<string, number>();
    for (const item of history.offered) {
      const sentMs = published.get(standIn(item, history))?.publication.atMs ?? Number.NaN;
      expect(sentMs).toBeLessThanOrEqual(item.offeredMs + item.windowMs + GRAIN_MS);
      const windowEndMs = (lastMs.get(item.key ?? "") ?? -Infinity) + item.windowMs + GRAIN_MS;
      if (item.key === undefined || item.offeredMs >= windowEndMs) expect(sentMs).toBe(item.offeredMs);
      if (item.key !== undefined) lastMs.set(item.key, sentMs);
    }
  },

  "nothing crosses an uncovered message": (history) => {
    const published = outcomes(history);
    const sentPlace = (item: Item): number => published.get(standIn(item, history))?.place ?? Number.NaN;
    for (const [index, wall] of history.offered.entries()) {
      if (wall.key !== undefined) continue;
      const wallPlace = sentPlace(wall);
      expect(published.get(wall)?.publication.atMs).toBe(wall.offeredMs);
      for (const before of history.offered.slice(0, index)) expect(sentPlace(before)).toBeLessThan(wallPlace);
      for (const after of history.offered.slice(index + 1))
        expect(sentPlace(after)).toBeGreaterThan(wallPlace);
    }
  },
};

describe("createConflator, over random histories", () => {
  const histories = Array.from({ length: SEEDS }, (_, seed) => record(seed + 1));

  test("they are histories in which something happens", () => {
    const count = (size: (history: History) => number): number =>
      histories.reduce((sum, history) => sum + size(history), 0);
    const perSeed = SEEDS * 10;
    expect(count(({ superseded }) => superseded.size)).toBeGreaterThan(perSeed);
    expect(count(({ publications }) => publications.filter(({ flushed }) => flushed).length)).toBeGreaterThan(
      SEEDS,
    );
    const late = (history: History): number =>
      history.publications.filter(
        ({ atMs, flushed, items }) => !flushed && items.some((i) => i.offeredMs < atMs),
      ).length;
    expect(count(late)).toBeGreaterThan(perSeed);
  });

  for (const [name, holds] of Object.entries(PROPERTIES)) {
    test(name, () => {
      for (const [index, history] of histories.entries()) {
        try {
          holds(history);
        } catch (error) {
          throw new Error(`seed ${index + 1}`, { cause: error });
        }
      }
    });
  }
});
