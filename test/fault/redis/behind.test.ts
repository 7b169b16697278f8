import { expect } from "bun:test";
import { publishOne } from "../../support/api.ts";
import { joinClient, OFFLINE } from "../../support/parties.ts";
import { numbered, publishAll } from "../../support/publish.ts";
import { untilReadiness } from "../../support/ready.ts";
import { testWithRedis } from "../../support/redis.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinStream } from "../../support/streamclient.ts";
import { checkSameView } from "./attempts.ts";
import { follow } from "./follower.ts";
import { heal, partition, startScene, TIMEOUT_MS } from "./scene.ts";

// A hub was cut off for so long that what it has missed is held no more: its clients are told so, and it goes on from the
// head (DESIGN.md, several nodes share a Redis Stream).

testWithRedis(
  "a hub that has fallen behind the history sends its clients away, and each hears of the hole",
  async () => {
    await using scene = await startScene({ env: { HISTORY_MESSAGES: "1000" } });
    const [one, two] = scene.nodes;
    const meanings = new Map<string, string>();
    using first = await follow(one.hub, meanings);
    using second = await follow(two.hub, meanings);
    await using raw = await joinClient(one.hub, OFFLINE);
    await using sse = await joinLiveSse(one.hub);
    const old = await publishOne(two.hub, '{"type":"FIRST"}');
    await first.untilText('{"type":"FIRST"}');

    partition(one);
    // In pieces that the hub that is there can keep up with.
    for (let from = 0; from < 15_000; from += 1_000) {
      const piece = numbered(1_000, from);
      await publishAll(two.hub, piece);
      await second.untilText(piece.at(-1) ?? "");
    }
    heal(one);
    await first.until("word of the hole", () => first.hellos.length === 2);
    expect(first.closes.map(({ code }) => code)).toEqual([1012]);
    expect(first.hellos[1]).toMatchObject({ resumed: false, reason: "evicted" });
    expect((await raw.closed).code).toBe(1012);
    await sse.ended;

    await untilReadiness(one.hub.url, 200);
    await publishOne(two.hub, '{"type":"LAST"}');
    await Promise.all([first.untilText('{"type":"LAST"}'), second.untilText('{"type":"LAST"}')]);
    // The other hub was there all the time: nobody there notices anything.
    expect([second.closes.length, second.seen.length]).toEqual([0, 15_002]);
    checkSameView(first.seen, second.seen.slice(-first.seen.length));
    for (const { hub } of scene.nodes) {
      await using client = await joinStream(hub, { since: old });
      expect(client.hello).toMatchObject({ resumed: false, reason: "evicted" });
    }
  },
);

testWithRedis(
  "a hub that was cut off for a while only catches up, and its clients get all of it",
  async () => {
    await using scene = await startScene({ env: { HISTORY_MESSAGES: "100000" } });
    const [one, two] = scene.nodes;
    using first = await follow(one.hub);
    using second = await follow(two.hub);
    partition(one);
    await publishAll(two.hub, numbered(20_000));
    await publishOne(two.hub, '{"type":"LAST"}');
    heal(one);
    await Promise.all([first.untilText('{"type":"LAST"}'), second.untilText('{"type":"LAST"}')]);
    expect([first.closes, first.seen.length]).toEqual([[], 20_001]);
    checkSameView(first.seen, second.seen);
  },
);

testWithRedis("a hub that is cut off calls no cursor unknown that it cannot know yet", async () => {
  await using scene = await startScene();
  const [one, two] = scene.nodes;
  const meanings = new Map<string, string>();
  using ahead = await follow(two.hub, meanings);
  partition(one);
  const cursor = await publishOne(two.hub, '{"type":"AHEAD"}');
  await ahead.untilText('{"type":"AHEAD"}');
  // It may be told to come back, or have to wait, but not that something is lost.
  const following = follow(one.hub, meanings, cursor);
  await Bun.sleep(2 * TIMEOUT_MS);
  heal(one);
  using follower = await following;
  await publishOne(two.hub, '{"type":"LAST"}');
  await follower.untilText('{"type":"LAST"}');
  expect(follower.hellos.map(({ resumed, cursor }) => ({ resumed, cursor }))).toEqual([
    { resumed: true, cursor },
  ]);
  expect(follower.texts()).toEqual(['{"type":"LAST"}']);
});
