import { expect } from "bun:test";
import type { Faults } from "../../support/proxy.ts";
import { padded } from "../../support/publish.ts";
import { testWithRedis } from "../../support/redis.ts";
import { checkSameView, createAttempts } from "./attempts.ts";
import { follow } from "./follower.ts";
import { LEASE_MS, startScene, TIMEOUT_MS } from "./scene.ts";
import { statusesOf, untilStatuses } from "./statuses.ts";
import { joinFaultWorker } from "./workers.ts";

// A network that is slow, but works: everything holds, only later.

const LINKS: Readonly<Record<string, Faults>> = {
  "that takes its time": { delayMs: TIMEOUT_MS / 8 },
  "with little room": { bytesPerSecond: 400_000 },
};

for (const [name, faults] of Object.entries(LINKS)) {
  testWithRedis(`over a network ${name} one order reaches all, and the worker stays`, async () => {
    await using scene = await startScene({ faults });
    const [{ hub: one }, { hub: two }] = scene.nodes;
    using first = await follow(one);
    using second = await follow(two);
    using worker = await joinFaultWorker(one, "w");
    await untilStatuses(second, 2);
    const attempts = createAttempts();
    const publisher = async (by: number): Promise<void> => {
      for (const [n, text] of padded(10, 1_000, by * 100).entries())
        await attempts.insist(by % 2 === 0 ? [one, two] : [two, one], text, `${by}-${n}`);
    };
    const startedMs = performance.now();
    await Promise.all([0, 1, 2, 3].map(publisher));
    // It outlives its lease several times over, and is renewed in time.
    while (performance.now() < startedMs + 1.5 * LEASE_MS) {
      worker.publish();
      await Bun.sleep(LEASE_MS / 20);
    }
    const last = worker.publish();
    await Promise.all([first.untilText(last), second.untilText(last)]);
    checkSameView(first.seen, second.seen);
    attempts.check(first.seen);
    expect(statusesOf(second)).toEqual([{}, { name: "w" }]);
    expect([first.closes, second.closes]).toEqual([[], []]);
  });
}
