import { type Conflator, createConflator, type Offer } from "../../src/backplane/conflate.ts";
import { type ConflationRule, createConflationKeys } from "../../src/protocol/conflation.ts";
import { createFakeRuntime, type FakeRuntime } from "./fake-runtime.ts";

export const RULES = [
  { type: "PROGRESS", key: "id", windowMs: 100 },
  { type: "RATE", key: "id", windowMs: 250 },
];

/** A conflator of named items, each as many bytes as its name has characters, and what came out of it: `<time> <items>` for a publication, `<time> <older>→<newer>`. */
export interface ConflateBench extends Conflator<string> {
  readonly runtime: FakeRuntime;
  readonly events: string[];
}

export function createConflateBench(heldLimitBytes = 1_000): ConflateBench {
  const runtime = createFakeRuntime();
  const events: string[] = [];
  const conflator = createConflator<string>({
    rules: RULES,
    runtime,
    heldLimitBytes,
    sizeOf: (item) => item.length,
    publish: (items) => void events.push(`${runtime.monotonicMs()} ${items.join(" ")}`),
    supersede: (older, newer) => void events.push(`${runtime.monotonicMs()} ${older}→${newer}`),
  });
  return { ...conflator, runtime, events };
}

/** An offer as it comes of a message that has been read. */
export function offerOf<Item>(
  type: string | undefined,
  value: Readonly<Record<string, unknown>>,
  item: Item,
  rules: readonly ConflationRule[] = RULES,
): Offer<Item> {
  return { type, key: createConflationKeys(rules)(type, value), item };
}

export const progress = (item: string, id: unknown = "d"): Offer<string> => offerOf("PROGRESS", { id }, item);
export const rate = (item: string, id: unknown = "d"): Offer<string> => offerOf("RATE", { id }, item);
export const other = (item: string): Offer<string> => offerOf("DOC_UPDATE", { id: "d" }, item);
