import { expect } from "bun:test";
import { call, expectProblem, sendCommand } from "../../support/api.ts";
import { joinClient, OFFLINE } from "../../support/parties.ts";
import { untilReadiness } from "../../support/ready.ts";
import { testWithRedis } from "../../support/redis.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinStreamWorker } from "../../support/streamclient.ts";
import { checkSameView, createAttempts } from "./attempts.ts";
import { follow } from "./follower.ts";
import { OUTAGES } from "./outages.ts";
import { LEASE_MS, startScene } from "./scene.ts";

// While Redis is away publishes are refused and the hubs say that they are not ready, but the clients stay and are told
// nothing false; when it is back they go on from where they were.

const message = (n: number): string => `{"type":"DOC_UPDATE","n":${n}}`;

for (const [name, outage] of Object.entries(OUTAGES)) {
  testWithRedis(`${name}: clients stay, publishes are refused, and the stream goes on`, async () => {
    await using scene = await startScene();
    const [{ hub: one }, { hub: two }] = scene.nodes;
    const meanings = new Map<string, string>();
    using first = await follow(one, meanings);
    using second = await follow(two, meanings);
    await using raw = await joinClient(two, OFFLINE);
    await using sse = await joinLiveSse(one);
    const attempts = createAttempts();
    expect(await attempts.publish(one, message(1))).toBe(true);
    expect(await attempts.publish(two, message(2))).toBe(true);
    await Promise.all([first.untilText(message(2)), second.untilText(message(2))]);

    await outage.begin(scene);
    for (const [at, { hub }] of scene.nodes.entries()) {
      const refused = [3, 4].map((n) => attempts.publish(hub, message(n + 10 * (at + 1))));
      expect(await Promise.all(refused)).toEqual([false, false]);
      const { checks } = await untilReadiness(hub.url, 503);
      expect(checks["redis"]).toEqual({ ok: false, detail: expect.stringMatching(/./) });
      expectProblem(await sendCommand(hub, "{}"), 503, "backplane");
      expect((await call(hub, "/healthz")).status).toBe(200);
    }
    // Whoever is connected is still served.
    raw.send("ping");
    expect([...(await textsUntil(raw.next, "pong"))]).toEqual([message(1), message(2)]);

    await outage.end(scene);
    for (const { hub } of scene.nodes) await untilReadiness(hub.url, 200);
    expect(await attempts.publish(one, message(5))).toBe(true);
    expect(await attempts.publish(two, message(6))).toBe(true);
    await Promise.all([first.untilText(message(6)), second.untilText(message(6))]);
    for (const follower of [first, second]) {
      expect({ closes: follower.closes, hellos: follower.hellos.length }).toEqual({ closes: [], hellos: 1 });
      checkSameView(follower.seen, first.seen);
    }
    attempts.check(first.seen);
    expect(await sse.texts(first.seen.length)).toEqual(first.texts());
    expect(await textsUntil(raw.next, message(6))).toEqual(first.texts().slice(2, -1));
    using late = await follow(two, meanings, "earliest");
    checkSameView(late.seen, first.seen);
  });
}

testWithRedis(
  "a worker that Redis is away from for longer than its lease is not vouched for, and comes back",
  async () => {
    await using scene = await startScene();
    const [{ hub: one }, { hub: two }] = scene.nodes;
    using first = await follow(one);
    using second = await follow(two);
    await using worker = await joinStreamWorker(one);
    worker.send({ type: "register", metadata: { name: "before" } });
    const statuses = (): string[] => first.texts().filter((text) => text.includes('"WORKER_STATUS"'));
    await first.until("the worker", () => statuses().length === 2);

    scene.redis.stop();
    worker.send(`{"type":"publish","ref":"away","data":{"n":1}}`);
    const { frames, code } = await worker.untilClose();
    expect(code).toBe(1012);
    // What it published was not acknowledged, so that it knows that it has to publish it again.
    expect(frames.filter(({ type }) => type === "ack")).toEqual([]);
    // Meanwhile nobody is told anything: that it is offline is not known before others can know it, too.
    expect(statuses().length).toBe(2);
    scene.redis.continue();

    await first.until("offline", () => statuses().at(-1)?.includes("offline") === true);
    await using again = await joinStreamWorker(two);
    again.send({ type: "register", metadata: { name: "after" } });
    await first.until("the worker again", () => statuses().at(-1)?.includes("after") === true);
    await second.until("the same at the other", () => second.seen.length >= first.seen.length);
    checkSameView(second.seen, first.seen);
    expect(statuses().map((text) => JSON.parse(text).metadata)).toEqual([
      ...[{}, { name: "before" }, null, {}, { name: "after" }],
    ]);
  },
  20_000 + 2 * LEASE_MS,
);

/** What comes before this text. */
async function textsUntil(next: () => Promise<string>, last: string): Promise<string[]> {
  const texts: string[] = [];
  for (let text = await next(); text !== last; text = await next()) texts.push(text);
  return texts;
}
