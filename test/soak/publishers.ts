import { publish } from "./call.ts";
import { BULK, createMessages, createProgress, TYPES } from "./messages.ts";
import type { Receipts } from "./receipts.ts";
import { about, pause, repeat, type Scene } from "./scene.ts";

/** Two megabytes: some of these are more than the kernel keeps for a client that does not read. */
const BULK_MESSAGES = 128;
const BULK_PAUSE_MS = 6_000;
/** How often a publisher looks whether a lull is over. */
const LULL_LOOK_MS = 500;
export const KEYS_USED = "idempotency keys used";

/** The backend: single messages, batches, keyed ones that are repeated, conflated ones, and now and then a lot at once. */
export async function runPublishers(scene: Scene, receipts: Receipts): Promise<void> {
  const { random } = scene;
  const single = createMessages("single", random);
  const batch = createMessages("batch", random);
  const keyed = createMessages("keyed", random);
  const bulk = createMessages("bulk", random);
  const progress = createProgress("progress", random);
  let keys = 0;

  const send = async (texts: readonly string[], key?: string): Promise<readonly string[] | undefined> => {
    const ids = await publish(scene, texts, { key });
    for (const [at, id] of (ids ?? []).entries()) receipts.promise(id, texts[at] ?? "");
    return ids;
  };
  const several = (count: number, make: (type: string) => string): string[] =>
    Array.from({ length: count }, () => make(random.pick(["DOC_UPDATE", ...TYPES.slice(0, 3)])));
  /** A lull is nobody publishing; in a burst the pauses are short. */
  const paced = (meanMs: number) => (): number => {
    const intensity = scene.intensity();
    return intensity === 0 ? LULL_LOOK_MS : about(random, meanMs / intensity);
  };
  const unlessLull = (act: () => Promise<unknown>) => async (): Promise<void> => {
    if (scene.intensity() > 0) await act();
  };

  const repeatKeyed = async (): Promise<void> => {
    const texts = several(1 + random.below(3), keyed);
    const key = `soak-${keys++}`;
    scene.count(KEYS_USED);
    // At once or later: the repeat changes nothing and gets the same answer.
    const first = send(texts, key);
    if (random.below(2) === 0) await first;
    const [ids, again] = await Promise.all([first, publish(scene, texts, { key })]);
    if (ids !== undefined && again !== undefined && ids.join() !== again.join())
      throw new Error(`the repeat of ${key} was answered ${again}, not ${ids}`);
    scene.count("keyed publishes repeated");
  };

  await Promise.all([
    repeat(
      scene,
      "single publish",
      paced(150),
      unlessLull(() => send(several(1, single))),
    ),
    repeat(
      scene,
      "batch",
      paced(2_500),
      unlessLull(() => send(several(2 + random.below(100), batch))),
    ),
    repeat(scene, "keyed publish", paced(1_000), unlessLull(repeatKeyed)),
    repeat(
      scene,
      "conflated publish",
      paced(500),
      unlessLull(() => send(Array.from({ length: 12 }, progress))),
    ),
    // At any tide, so that the history, of which they are the most, stays full of them.
    repeat(
      scene,
      "bulk publish",
      () => about(random, BULK_PAUSE_MS),
      async () => void (await send(Array.from({ length: BULK_MESSAGES }, () => bulk(BULK)))),
    ),
  ]);
}

/** Bursts, lulls and ordinary times take turns. */
export function createTides(scene: Omit<Scene, "intensity">): {
  intensity: () => number;
  run(): Promise<void>;
} {
  let intensity = 1;
  return {
    intensity: () => intensity,
    async run() {
      while (!scene.over.aborted) {
        intensity = scene.random.pick([0, 1, 1, 2, 4]);
        await pause(scene, about(scene.random, intensity === 1 ? 6_000 : 3_000));
      }
    },
  };
}
