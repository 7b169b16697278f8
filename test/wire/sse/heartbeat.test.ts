import { describe, expect, test } from "bun:test";
import { publishLines, publishOne, receiptOf } from "../../support/api.ts";
import type { EventBlock } from "../../support/event-stream.ts";
import { startHub } from "../../support/hub.ts";
import { padded } from "../../support/publish.ts";
import { type JoinedSse, joinLiveSse, joinSse } from "../../support/sse-stream.ts";

// Every heartbeat is a comment and a bare id, the position (PROTOCOL.md section 4).

const OFTEN = { HEARTBEAT_INTERVAL_MS: "20" };

function isHeartbeat(block: EventBlock): boolean {
  return block.comments.length > 0;
}

/** Checks its form, and returns the position that it names. */
function positionOf(block: EventBlock): string {
  expect(block).toEqual({ comments: [expect.stringMatching(/./)], id: expect.stringMatching(/./) });
  return block.id ?? "";
}

/** Reads heartbeats until one names this position; fails on anything else. */
async function untilPosition(stream: JoinedSse, cursor: string): Promise<void> {
  while (positionOf(await stream.next()) !== cursor);
}

describe("a heartbeat", () => {
  test("is a comment and the position, and no event", async () => {
    await using hub = await startHub({ env: OFTEN });
    await using stream = await joinLiveSse(hub);
    expect(stream.hello.heartbeat_ms).toBe(20);
    for (let n = 0; n < 5; n++) expect(positionOf(await stream.next())).toBe(stream.hello.cursor);
  });

  test("comes to a stream that is quiet for longer than idle connections are left open", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "14000" } });
    await using stream = await joinLiveSse(hub);
    expect(positionOf(await stream.next())).toBe(stream.hello.cursor);
    const id = await publishOne(hub, "{}");
    expect(await stream.nextMessage()).toEqual({ id, data: "{}" });
  });

  test("names how far the stream is, to those as well whose filter lets nothing through", async () => {
    await using hub = await startHub({ env: OFTEN });
    await using stream = await joinLiveSse(hub, { types: "NOTHING" });
    const { ids } = receiptOf(await publishLines(hub, padded(50, 100)));
    await untilPosition(stream, ids[49] ?? "");
    const id = await publishOne(hub, "{}");
    await untilPosition(stream, id);

    // Whoever comes back with it has missed nothing, and is not sent all that the filter kept away.
    await using back = await joinSse(hub, { lastEventId: stream.lastId() });
    expect(back.hello).toMatchObject({ resumed: true, cursor: id });
    expect((await back.untilLive()).messages).toEqual([]);
  });

  test("among messages names the one before it: nothing that was not sent yet", async () => {
    await using hub = await startHub({ env: OFTEN });
    await using stream = await joinLiveSse(hub);
    let heartbeats = 0;
    let last = stream.hello.cursor;
    let isDone = false;
    const publishing = (async () => {
      while (!isDone) await publishLines(hub, padded(7, 300));
    })();
    while (heartbeats < 30) {
      const block = await stream.next();
      if (isHeartbeat(block)) {
        heartbeats += 1;
        expect(positionOf(block)).toBe(last);
      } else {
        last = block.id ?? "";
      }
    }
    isDone = true;
    await publishing;
  });

  test("in a replay names how far that is, however long the reader takes", async () => {
    await using hub = await startHub({ env: { ...OFTEN, HEARTBEAT_TIMEOUT_MS: "600000" } });
    // Far more than what the system's buffers hold.
    const lines = padded(30, 1_000_000);
    const ids: string[] = [];
    for (const at of [0, 15]) {
      ids.push(...receiptOf(await publishLines(hub, lines.slice(at, at + 15))).ids);
    }
    await using watch = await joinLiveSse(hub, { types: "NOTHING" });
    // A batch is sent in slices: now all of them are in the past, and everything will be replayed.
    await untilPosition(watch, ids[29] ?? "");
    await using stream = await joinSse(hub, { since: "earliest" });
    let last = stream.hello.cursor;
    let heartbeats = 0;
    const seen: string[] = [];
    while (true) {
      const block = await stream.next();
      if (block.event === "live") break;
      if (isHeartbeat(block)) {
        heartbeats += 1;
        expect(positionOf(block)).toBe(last);
        continue;
      }
      last = block.id ?? "";
      seen.push(last);
      // Now and then it reads nothing for a few of the hub's heartbeats.
      if (seen.length % 10 !== 5) continue;
      stream.tcp.pause();
      for (let n = 0; n < 5; n++) await watch.next();
      stream.tcp.resume();
    }
    expect(seen).toEqual(ids);
    expect(heartbeats).toBeGreaterThan(0);
  });
});
