import { expect } from "bun:test";
import type { Hub } from "../../support/hub.ts";
import { untilReadiness } from "../../support/ready.ts";
import { testWithRedis } from "../../support/redis.ts";
import { checkSameView, createAttempts } from "./attempts.ts";
import { follow } from "./follower.ts";
import { BLIPS } from "./outages.ts";
import { startScene } from "./scene.ts";

// The connections to Redis break again and again while both hubs publish: whoever repeats what was refused, under its
// key, at whichever hub, has it in the stream once, and no client notices anything.

const ROUNDS = 4;
const PUBLISHERS = 3;
/** Of each publisher, between two breaks. */
const MESSAGES = 15;

for (const [name, blip] of Object.entries(BLIPS)) {
  testWithRedis(`${name}, again and again: nothing is lost, doubled or out of order`, async () => {
    await using scene = await startScene();
    const [{ hub: one }, { hub: two }] = scene.nodes;
    using first = await follow(one);
    using second = await follow(two);
    const attempts = createAttempts();
    let count = 0;
    const publisher = async (by: number, hubs: readonly Hub[]): Promise<void> => {
      for (let n = 0; n < MESSAGES; n++) {
        count += 1;
        const text = JSON.stringify({ type: "DOC_UPDATE", by, n: count });
        await attempts.insist(hubs, text, `${by}-${count}`);
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      const published = Array.from({ length: PUBLISHERS }, (_, by) =>
        publisher(by, by % 2 === 0 ? [one, two] : [two, one]),
      );
      await Bun.sleep(round * 3);
      await blip(scene);
      await Promise.all(published);
    }
    for (const { hub } of scene.nodes) await untilReadiness(hub.url, 200);
    const last = '{"type":"LAST"}';
    await attempts.insist([one], last, "last");
    await Promise.all([first.untilText(last), second.untilText(last)]);

    expect(first.texts().length).toBe(ROUNDS * PUBLISHERS * MESSAGES + 1);
    attempts.check(first.seen);
    for (const follower of [first, second]) {
      expect({ closes: follower.closes, hellos: follower.hellos.length }).toEqual({ closes: [], hellos: 1 });
      checkSameView(follower.seen, first.seen);
    }
    // Each publisher's messages stand in the order in which it published them.
    for (let by = 0; by < PUBLISHERS; by++) {
      const numbers = first
        .texts()
        .map((text) => JSON.parse(text))
        .filter((one) => one.by === by);
      expect(numbers.map(({ n }) => n)).toEqual(numbers.map(({ n }) => n).sort((a, b) => a - b));
    }
  });
}
