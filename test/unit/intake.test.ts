import { describe, expect, test } from "bun:test";
import { KEY_MISMATCH, type KeyRecord, type Published } from "../../src/backplane/backplane.ts";
import { createIntake } from "../../src/backplane/intake.ts";
import type { Ledger, Outcome, Unit } from "../../src/backplane/ledger.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

// Receipts and repeats in front of a ledger that is elsewhere: it answers when the test says so.

const RULES = [{ type: "PROGRESS", key: "id", windowMs: 100 }];
const RECEIVERS = { websocket: 1, sse: 0 };

/** A ledger whose every call waits for the test. */
function createRemote() {
  const appends: {
    readonly units: readonly Unit[];
    readonly done: (outcomes: readonly Outcome[]) => void;
  }[] = [];
  const lookUps = new Map<string, PromiseWithResolvers<KeyRecord | undefined>>();
  let written = 0;
  const ledger: Ledger = {
    append: (units, done) => void appends.push({ units, done }),
    findKey(key) {
      const lookUp = Promise.withResolvers<KeyRecord | undefined>();
      lookUps.set(key, lookUp);
      return lookUp.promise;
    },
  };
  /** Takes the oldest call: every unit enters, unless another outcome is given for it. */
  const take = (outcomes: readonly (Outcome | undefined)[] = []): string[] => {
    const append = appends.shift();
    if (append === undefined) throw new Error("nothing was appended");
    const texts = append.units.flatMap(({ messages }) => messages.map(({ text }) => text));
    append.done(
      append.units.map(
        ({ messages }, at) => outcomes[at] ?? { ok: true, cursors: messages.map(() => `e-${++written}`) },
      ),
    );
    return texts;
  };
  return { ledger, appends, lookUps, take };
}

function make(rules: typeof RULES | readonly [] = RULES) {
  const runtime = createFakeRuntime();
  const remote = createRemote();
  const intake = createIntake({
    config: { CONFLATE: rules },
    ledger: remote.ledger,
    runtime,
    log: {},
    metrics: createMetrics(),
    receivers: () => RECEIVERS,
  });
  const results: Record<string, Published> = {};
  /** Publishes progress of one document; the texts are the name of the publish and a number. */
  const publish = (
    name: string,
    options: { key?: string; digest?: string; type?: string; count?: number } = {},
  ) => {
    const { key, digest = "d", type = "PROGRESS", count = 1 } = options;
    intake.append({
      messages: Array.from({ length: count }, (_, at) => ({
        text: `${name}${at === 0 ? "" : at}`,
        type,
        conflationKey: type === "PROGRESS" ? "doc" : undefined,
      })),
      source: "http",
      worker: undefined,
      key: key === undefined ? undefined : { key, digest },
      done: (result) => {
        results[name] = result;
      },
    });
  };
  return { ...remote, runtime, intake, publish, results };
}

const receipt = (...ids: string[]): Published => ({ ok: true, ids, receivers: RECEIVERS });
const record = (key: string, ...ids: string[]): KeyRecord => ({
  key,
  digest: "d",
  answer: JSON.stringify(receipt(...ids)),
  atMs: 0,
});

describe("without conflation", () => {
  test("a key goes along with its messages, and a repeat gets what the ledger says", () => {
    const { publish, appends, take, results } = make([]);
    publish("a", { key: "k", count: 2 });
    expect(appends[0]?.units).toEqual([
      expect.objectContaining({
        isOwned: true,
        keys: [{ key: "k", digest: "d", at: [0, 1], receivers: RECEIVERS }],
      }),
    ]);
    take();
    publish("b", { key: "k", count: 2 });
    take([{ ok: true, answer: record("k", "e-1", "e-2").answer }]);
    publish("c", { key: "k", digest: "other" });
    take([KEY_MISMATCH]);
    expect(results).toEqual({ a: receipt("e-1", "e-2"), b: receipt("e-1", "e-2"), c: KEY_MISMATCH });
  });
});

describe("with conflation", () => {
  test("what waits for news of its key does not let others pass", async () => {
    const { publish, appends, lookUps, take, results } = make();
    publish("keyed", { key: "k" });
    publish("later", { type: "OTHER" });
    expect(appends).toHaveLength(0);
    lookUps.get("k")?.resolve(undefined);
    await settle();
    expect([take(), take()]).toEqual([["keyed"], ["later"]]);
    expect(results).toEqual({ keyed: receipt("e-1"), later: receipt("e-2") });
  });

  test("a repeat of what has been answered elsewhere supersedes nothing", async () => {
    const { publish, lookUps, take, results, runtime, appends } = make();
    publish("first");
    publish("held");
    take();
    publish("repeat", { key: "k" });
    lookUps.get("k")?.resolve(record("k", "e-0"));
    await settle();
    expect(results["repeat"]).toEqual(receipt("e-0"));
    runtime.advance(100);
    expect(appends[0]?.units[0]?.messages[0]?.text).toBe("held");
    take();
    expect(results["held"]).toEqual(receipt("e-2"));
  });

  test("a repeat waits for the first while that is held back, and both get one answer", async () => {
    const { publish, lookUps, take, results, runtime } = make();
    publish("first");
    take();
    for (const [name, digest] of [
      ["held", "d"],
      ["again", "d"],
      ["other", "x"],
    ] as const) {
      publish(name, { key: "k", digest });
      lookUps.get("k")?.resolve(undefined);
      await settle();
    }
    expect(results).toEqual({ first: receipt("e-1"), other: KEY_MISMATCH });
    runtime.advance(100);
    expect(take()).toEqual(["held"]);
    expect(results).toMatchObject({ held: receipt("e-2"), again: receipt("e-2") });
  });

  test("whoever was superseded gets the cursor of the one that took its place, with its key", async () => {
    const { publish, lookUps, take, results, runtime, appends } = make();
    publish("first");
    take();
    publish("older", { key: "k1" });
    lookUps.get("k1")?.resolve(undefined);
    await settle();
    publish("newer", { key: "k2" });
    lookUps.get("k2")?.resolve(undefined);
    await settle();
    runtime.advance(100);
    expect(appends[0]?.units.map(({ keys, isOwned }) => [keys.map(({ key }) => key), isOwned])).toEqual([
      [["k1", "k2"], true],
    ]);
    expect(take()).toEqual(["newer"]);
    expect([results["older"], results["newer"]]).toEqual([receipt("e-2"), receipt("e-2")]);
  });

  test("a refused message says so to everybody who waits for it, and to nobody that it was another's key", async () => {
    const { publish, lookUps, take, results, runtime } = make();
    publish("first");
    take();
    publish("older");
    publish("newer", { key: "k" });
    lookUps.get("k")?.resolve(undefined);
    await settle();
    runtime.advance(100);
    take([KEY_MISMATCH]);
    expect(results["newer"]).toEqual(KEY_MISMATCH);
    expect(results["older"]).toMatchObject({ ok: false, code: "busy" });
  });

  test("a keyed batch is one unit; what was held back goes before it", async () => {
    const { publish, lookUps, take, results, appends } = make();
    publish("first");
    publish("held");
    take();
    publish("batch", { key: "k", count: 3 });
    lookUps.get("k")?.resolve(undefined);
    await settle();
    expect(take()).toEqual(["held"]);
    // The window is open, so of the batch's three the last is left.
    expect(appends[0]?.units[0]?.keys).toEqual([
      { key: "k", digest: "d", at: [0, 0, 0], receivers: RECEIVERS },
    ]);
    expect(take()).toEqual(["batch2"]);
    expect(results["batch"]).toEqual(receipt("e-3", "e-3", "e-3"));
  });

  test("what is not known of a key is refused, and lets those behind it in", async () => {
    const { publish, lookUps, take, results } = make();
    publish("lost", { key: "k" });
    publish("next", { type: "OTHER" });
    lookUps.get("k")?.reject(new Error("Redis gives no answer"));
    await settle();
    expect(results["lost"]).toEqual({ ok: false, code: "backplane", detail: "Redis gives no answer" });
    expect(take()).toEqual(["next"]);
    expect(results["next"]).toEqual(receipt("e-1"));
  });
});

/** Lets promises that are settled be acted on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
