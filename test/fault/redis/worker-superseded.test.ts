import { expect } from "bun:test";
import { publishOne } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { untilReadiness } from "../../support/ready.ts";
import { testWithRedis } from "../../support/redis.ts";
import { checkSameView } from "./attempts.ts";
import { follow } from "./follower.ts";
import { heal, LEASE_MS, type Node, partition, startScene } from "./scene.ts";
import { saidAfter, statusesOf, untilStatuses } from "./statuses.ts";
import { type FaultWorker, joinFaultWorker } from "./workers.ts";

// A hub holds a worker and loses touch, because it was stopped or cut off from Redis; the next worker registers at the
// other hub. Both believe that they hold the worker, and one of them is right: after its registration nothing of the
// other enters the stream, whatever was on its way.

interface Loss {
  /** The hub's part in it, as seen by its other connections. */
  begin(node: Node): void;
  end(node: Node): void;
}

const LOSSES: Readonly<Record<string, Loss>> = {
  "stands still": {
    begin: ({ hub }) => hub.kill("SIGSTOP"),
    end: ({ hub }) => hub.kill("SIGCONT"),
  },
  "is cut off from Redis": { begin: partition, end: heal },
};

/** What the old worker goes on publishing meanwhile waits for its hub. */
const BURST = 50;

function burst(worker: FaultWorker): void {
  for (let n = 0; n < BURST; n++) worker.publish();
}

for (const [name, { begin, end }] of Object.entries(LOSSES)) {
  for (const isLate of [false, true]) {
    const when = isLate ? "after its lease" : "before its lease has ended";
    testWithRedis(
      `a hub ${name}, and another worker registers ${when}`,
      async () => {
        await using scene = await startScene();
        const [one, two] = scene.nodes;
        using first = await follow(one.hub);
        using second = await follow(two.hub);
        using old = await joinFaultWorker(one.hub, "old");
        old.publish();
        await untilStatuses(second, 2);

        begin(one);
        burst(old);
        if (isLate) await within(untilStatuses(second, 3), "offline within the lease", 2 * LEASE_MS);
        using next = await joinFaultWorker(two.hub, "next");
        const news = next.publish();
        await second.untilText(news);
        burst(old);
        end(one);
        burst(old);

        // 4001 where it learns from the stream that it was replaced, 1012 where its lease has ended by its own clock.
        const { code } = await within(old.closed, "the end of the old worker");
        expect([4001, 1012]).toContain(code);
        await untilReadiness(one.hub.url, 200);
        const last = next.publish();
        await publishOne(one.hub, '{"type":"LAST"}');
        for (const follower of [first, second]) {
          await follower.untilText('{"type":"LAST"}');
          await follower.untilText(last);
        }
        checkSameView(first.seen, second.seen);
        expect(saidAfter(second.seen, "old", "next")).toEqual([]);
        const offline = isLate ? (["offline"] as const) : [];
        expect(statusesOf(second)).toEqual([{}, { name: "old" }, ...offline, {}, { name: "next" }]);
        for (const [n, cursor] of old.acknowledged) {
          const text = second.seen.find((seen) => seen.cursor === cursor)?.text;
          expect(JSON.parse(text ?? "{}")).toMatchObject({ by: "old", n });
        }
        expect([first.closes, second.closes]).toEqual([[], []]);
      },
      20_000 + 4 * LEASE_MS,
    );
  }
}

testWithRedis(
  "a worker that is cut off with its hub is sent away when the lease ends, not later",
  async () => {
    await using scene = await startScene();
    const [one, two] = scene.nodes;
    using first = await follow(one.hub);
    using second = await follow(two.hub);
    using worker = await joinFaultWorker(one.hub, "w");
    await untilStatuses(first, 2);
    partition(one);
    const { code } = await within(worker.closed, "its end by the hub's own clock", 2 * LEASE_MS);
    expect(code).toBe(1012);
    await within(untilStatuses(second, 3), "offline at the other hub", 2 * LEASE_MS);
    // Its hub cannot know, and says nothing, until it sees the stream again.
    expect(statusesOf(first)).toEqual([{}, { name: "w" }]);
    heal(one);
    expect(await untilStatuses(first, 3)).toEqual([{}, { name: "w" }, "offline"]);
    await untilReadiness(one.hub.url, 200);
    using again = await joinFaultWorker(one.hub, "again");
    const text = again.publish();
    await Promise.all([first.untilText(text), second.untilText(text)]);
    checkSameView(first.seen, second.seen);
  },
  20_000 + 4 * LEASE_MS,
);

testWithRedis(
  "workers that replace each other across the hubs: one is left, and everybody knows which",
  async () => {
    await using scene = await startScene();
    const [{ hub: one }, { hub: two }] = scene.nodes;
    using first = await follow(one);
    using second = await follow(two);
    const workers: FaultWorker[] = [];
    await using all = new AsyncDisposableStack();
    const join = async (n: number): Promise<void> => {
      const worker = all.use(await joinFaultWorker(n % 2 === 0 ? one : two, `w${n}`));
      workers.push(worker);
    };
    for (let n = 0; n < 6; n++) await join(n);
    await Promise.all(Array.from({ length: 8 }, (_, n) => join(6 + n)));
    const ends = new Map<string, number>();
    for (const { name, closed } of workers) void closed.then(({ code }) => ends.set(name, code));
    const replaced = async (): Promise<void> => {
      while (ends.size < workers.length - 1) await Bun.sleep(5);
    };
    await within(replaced(), "the end of all but one");
    expect([...new Set(ends.values())]).toEqual([4001]);
    const winner = workers.find(({ name }) => !ends.has(name));
    const text = winner?.publish() ?? "";
    await Promise.all([first.untilText(text), second.untilText(text)]);
    checkSameView(first.seen, second.seen);
    expect(statusesOf(first).at(-1)).toEqual({ name: winner?.name });
    expect(statusesOf(first)).not.toContain("offline");
  },
);
