import { describe, expect, test } from "bun:test";
import { type Hub, type HubEnv, startHub } from "../support/hub.ts";
import { joinClient, joinRawClient, joinWorker, OFFLINE, online } from "../support/parties.ts";
import { padded, publish } from "../support/publish.ts";
import { joinSse } from "../support/sse-stream.ts";
import { joinStream } from "../support/streamclient.ts";

// A large batch has its receipt while it is still being sent in slices, each of which waits for those who read it. What is
// said to one connection (PROTOCOL.md section 1) comes behind what was promised to all before.

const BATCH = padded(200, 60_000);
const env: HubEnv = { MAX_MESSAGE_BYTES: "65536", SLOW_CONSUMER_BYTES: "262144" };

/** Reads nothing, so that a batch takes its time. */
async function joinStalled(hub: Hub) {
  const stalled = await joinRawClient(hub);
  stalled.tcp.pause();
  return stalled;
}

describe("behind a batch that has its receipt already comes", () => {
  test("a pong", async () => {
    await using hub = await startHub({ env });
    await using _stalled = await joinStalled(hub);
    await using client = await joinClient(hub);
    await publish(hub, BATCH);
    expect((await client.untilPong()).length).toBe(BATCH.length);
  });

  test("a status that somebody asks for", async () => {
    await using hub = await startHub({ env });
    await using _stalled = await joinStalled(hub);
    await using client = await joinClient(hub);
    await publish(hub, BATCH);
    client.send("get_worker_status");
    for (const text of BATCH) expect(await client.next()).toBe(text);
    expect(await client.next()).toBe(OFFLINE);
  });

  test("the first status of a newcomer, so that none follows that is older", async () => {
    await using hub = await startHub({ env });
    await using _stalled = await joinStalled(hub);
    await using client = await joinClient(hub);
    await publish(hub, BATCH);
    await using _worker = await joinWorker(hub);
    await using newcomer = await joinClient(hub, online());
    expect(await newcomer.untilPong()).toEqual([]);
    expect((await client.untilPong()).at(-1)).toBe(online());
  });

  test("a newcomer's stream, on WebSocket and SSE", async () => {
    await using hub = await startHub({ env });
    await using _stalled = await joinStalled(hub);
    const { ids } = await publish(hub, BATCH);
    await using stream = await joinStream(hub);
    await using sse = await joinSse(hub);
    expect([stream.hello.cursor, sse.hello.cursor]).toEqual([ids.at(-1) as string, ids.at(-1) as string]);
    expect((await stream.untilLive()).messages).toEqual([]);
    expect((await sse.untilLive()).messages).toEqual([]);
  });
});
