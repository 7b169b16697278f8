import type { ConflationKey, ConflationRule } from "../protocol/conflation.ts";
import type { Cancel, Runtime } from "../runtime.ts";

/** With so many windows open, a message that would open another counts as uncovered. */
export const OPEN_WINDOWS_MAX = 10_000;

/** A message on its way to the stream, and what the caller knows it by. */
export interface Offer<Item> {
  readonly type: string | undefined;
  /** What stands at the rule's key; undefined for a message that no rule covers. */
  readonly key: ConflationKey | undefined;
  readonly item: Item;
}

export interface ConflatorOptions<Item> {
  readonly rules: readonly ConflationRule[];
  readonly runtime: Pick<Runtime, "monotonicMs" | "after">;
  /** With more bytes than this held back, all of it is published: a flush must not be a burst that nobody can take. */
  readonly heldLimitBytes: number;
  /** The size of an item, in bytes; asked once, when it is held back. */
  sizeOf(item: Item): number;
  /**
   * Publishes these, never none, in this order and in one step. It is the last thing done with them, and the conflator is
   * ready for the next call by then: it may throw, and it may offer.
   */
  publish(items: readonly Item[]): void;
  /** `older` will not be published; whoever waits for it is to wait for `newer`, which is held back in its place. */
  supersede(older: Item, newer: Item): void;
}

export interface ConflatorStats {
  /** How many messages have been superseded since the start. */
  readonly superseded: number;
  readonly openWindows: number;
  readonly held: number;
  readonly heldBytes: number;
}

/**
 * Lets at most one message per key and window into the stream (PROTOCOL.md, section 5). Every item offered is either
 * published, at once or later, or superseded by one of the same key that was offered after it.
 */
export interface Conflator<Item> {
  /** Takes messages in their order. What may go out now does so in one call of `publish`, before this returns. */
  offer(offers: readonly Offer<Item>[]): void;
  /** Publishes everything held back. The windows run on. */
  flush(): void;
  /** Publishes everything held back, for good: what is offered from now on goes straight through, and no timer is left. */
  stop(): void;
  stats(): ConflatorStats;
}

/** From the publication of a message until when the next one with its key may follow. */
interface Window {
  endsMs: number;
}

interface Held<Item> {
  readonly item: Item;
  readonly bytes: number;
}

/** A rule at work. All its windows are equally long, so the map, in order of insertion, is in order of their ends. */
interface Lane {
  readonly rule: ConflationRule;
  readonly windows: Map<ConflationKey, Window>;
  /** For the window that ends first. */
  cancelTimer: Cancel | undefined;
}

export function createConflator<Item>(options: ConflatorOptions<Item>): Conflator<Item> {
  const { runtime } = options;
  const lanes = new Map<string, Lane>();
  for (const rule of options.rules) {
    lanes.set(rule.type, { rule, windows: new Map(), cancelTimer: undefined });
  }
  /** The latest message of each window that has one, in order of arrival. */
  const held = new Map<Window, Held<Item>>();
  let heldBytes = 0;
  let openWindows = 0;
  let superseded = 0;

  const publish = (items: readonly Item[]): void => {
    if (items.length > 0) options.publish(items);
  };

  /** Takes out what the window holds back, and with it its place in the order. */
  const release = (window: Window): Held<Item> | undefined => {
    const entry = held.get(window);
    if (entry === undefined) return undefined;
    held.delete(window);
    heldBytes -= entry.bytes;
    return entry;
  };

  const releaseAll = (): Item[] => {
    const items = Array.from(held.values(), ({ item }) => item);
    held.clear();
    heldBytes = 0;
    return items;
  };

  const hold = (window: Window, item: Item): void => {
    const older = release(window);
    const bytes = options.sizeOf(item);
    held.set(window, { item, bytes });
    heldBytes += bytes;
    if (older === undefined) return;
    superseded += 1;
    options.supersede(older.item, item);
  };

  const arm = (lane: Lane): void => {
    const [first] = lane.windows.values();
    if (first === undefined) {
      lane.cancelTimer = undefined;
    } else {
      const delayMs = Math.max(0, first.endsMs - runtime.monotonicMs());
      lane.cancelTimer = runtime.after(delayMs, () => endWindows(lane));
    }
  };

  const open = (lane: Lane, key: ConflationKey): void => {
    lane.windows.set(key, { endsMs: runtime.monotonicMs() + lane.rule.windowMs });
    openWindows += 1;
    if (lane.cancelTimer === undefined) arm(lane);
  };

  /** A window in which something was held back is followed by another one, any other is forgotten. */
  const endWindows = (lane: Lane): void => {
    const nowMs = runtime.monotonicMs();
    const items: Item[] = [];
    for (const [key, window] of lane.windows) {
      if (window.endsMs > nowMs) break;
      lane.windows.delete(key);
      const latest = release(window);
      if (latest === undefined) {
        openWindows -= 1;
      } else {
        items.push(latest.item);
        window.endsMs = nowMs + lane.rule.windowMs;
        lane.windows.set(key, window);
      }
    }
    arm(lane);
    publish(items);
  };

  /** @returns what may go out now, in order */
  const take = ({ type, key, item }: Offer<Item>): Item[] => {
    const lane = type === undefined ? undefined : lanes.get(type);
    if (lane === undefined || key === undefined) return [...releaseAll(), item];

    const window = lane.windows.get(key);
    if (window !== undefined) {
      hold(window, item);
      return heldBytes > options.heldLimitBytes ? releaseAll() : [];
    }
    if (openWindows >= OPEN_WINDOWS_MAX) return [...releaseAll(), item];
    open(lane, key);
    return [item];
  };

  return {
    offer: (offers) => publish(offers.flatMap(take)),
    flush: () => publish(releaseAll()),
    stop() {
      for (const { cancelTimer } of lanes.values()) cancelTimer?.();
      lanes.clear();
      openWindows = 0;
      publish(releaseAll());
    },
    stats: () => ({ superseded, openWindows, held: held.size, heldBytes }),
  };
}
