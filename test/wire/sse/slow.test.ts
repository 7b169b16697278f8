import { expect, test } from "bun:test";
import { publishLines, publishOne, receiptOf } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient } from "../../support/parties.ts";
import { padded } from "../../support/publish.ts";
import { type JoinedSse, joinLiveSse, joinSse } from "../../support/sse-stream.ts";

// An event stream whose reader stands still is ended and resumes by itself (PROTOCOL.md section 4, issue 3).

const MESSAGE_BYTES = 100_000;

function untilTooSlow(hub: Hub): Promise<unknown> {
  return hub.waitForLog("the slow stream", ({ msg, scope }) => scope === "events" && /too slow/i.test(msg));
}

/** Publishes until the promise resolves. */
async function publishUntil(
  hub: Hub,
  reached: Promise<unknown>,
): Promise<{ ids: string[]; lines: string[] }> {
  let isReached = false;
  void reached.then(() => {
    isReached = true;
  });
  const ids: string[] = [];
  const lines: string[] = [];
  while (!isReached) {
    const batch = padded(2, MESSAGE_BYTES, lines.length);
    lines.push(...batch);
    ids.push(...receiptOf(await publishLines(hub, batch)).ids);
  }
  await reached;
  return { ids, lines };
}

/** Reads what a stream that was ended had got before; it must be whole messages, and the end must not look like a good one. */
async function readRest(stream: JoinedSse): Promise<string[]> {
  stream.tcp.resume();
  expect(await within(stream.ended, "end of the stalled stream")).toBe("cut");
  const ids: string[] = [];
  while (true) {
    const block = await stream.next().catch(() => undefined);
    if (block === undefined) return ids;
    if (block.event === undefined && block.data !== undefined) ids.push(block.id ?? "");
  }
}

/** Comes back as a browser does, and checks that it has everything then. */
async function expectResumes(hub: Hub, stream: JoinedSse, got: string[], ids: string[]): Promise<void> {
  expect(got).toEqual(ids.slice(0, got.length));
  expect(got.length).toBeLessThan(ids.length);
  await using back = await joinSse(hub, { lastEventId: stream.lastId() });
  expect(back.hello.resumed).toBe(true);
  const { messages } = await back.untilLive();
  expect([...got, ...messages.map(({ id }) => id)]).toEqual(ids);
}

test("one with more than SLOW_CONSUMER_BYTES unsent is ended, the others notice nothing, and it resumes", async () => {
  await using hub = await startHub({ env: { SLOW_CONSUMER_BYTES: "1048576" } });
  await using stalled = await joinLiveSse(hub);
  await using stream = await joinLiveSse(hub);
  await using socket = await joinClient(hub);
  stalled.tcp.pause();
  const { ids, lines } = await publishUntil(hub, untilTooSlow(hub));
  expect((await stream.messages(ids.length)).map(({ id }) => id)).toEqual(ids);
  for (const line of lines) expect((await socket.next()) === line).toBe(true);

  await expectResumes(hub, stalled, await readRest(stalled), ids);
  const next = await publishOne(hub, "{}");
  expect((await stream.nextMessage()).id).toBe(next);
});

test("one that takes nothing for HEARTBEAT_TIMEOUT_MS is ended, even if little is published", async () => {
  const env = {
    SLOW_CONSUMER_BYTES: "67108864",
    HEARTBEAT_INTERVAL_MS: "100",
    HEARTBEAT_TIMEOUT_MS: "2000",
    WORKER_TIMEOUT_MS: "600000",
  };
  await using hub = await startHub({ env });
  await using stalled = await joinLiveSse(hub);
  stalled.tcp.pause();
  // More than what the system's buffers hold, less than what makes it too slow by itself.
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    ids.push(...receiptOf(await publishLines(hub, padded(100, MESSAGE_BYTES, 100 * n))).ids);
  }
  await untilTooSlow(hub);
  const last = receiptOf(await publishLines(hub, ["{}"]));
  expect(last.receivers.sse).toBe(0);
  await expectResumes(hub, stalled, await readRest(stalled), [...ids, ...last.ids]);
});

test("so is one that stands still in the middle of a replay", async () => {
  const env = { HEARTBEAT_INTERVAL_MS: "100", HEARTBEAT_TIMEOUT_MS: "2000", WORKER_TIMEOUT_MS: "600000" };
  await using hub = await startHub({ env });
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    ids.push(...receiptOf(await publishLines(hub, padded(100, MESSAGE_BYTES, 100 * n))).ids);
  }
  await using stalled = await joinSse(hub, { since: "earliest" });
  stalled.tcp.pause();
  await untilTooSlow(hub);
  await expectResumes(hub, stalled, await readRest(stalled), ids);
});

test("one that reads in fits and starts, but reads, gets everything", async () => {
  const env = { SLOW_CONSUMER_BYTES: "67108864", HEARTBEAT_INTERVAL_MS: "50", HEARTBEAT_TIMEOUT_MS: "20000" };
  await using hub = await startHub({ env });
  await using watch = await joinLiveSse(hub, { types: "NOTHING" });
  await using stream = await joinLiveSse(hub, { types: "DOC_UPDATE" });
  stream.tcp.pause();
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    ids.push(...receiptOf(await publishLines(hub, padded(100, MESSAGE_BYTES, 100 * n))).ids);
  }
  const seen: string[] = [];
  while (seen.length < ids.length) {
    stream.tcp.resume();
    for (let n = 0; n < 50; ) {
      const block = await stream.next();
      if (block.data === undefined) continue;
      seen.push(block.id ?? "");
      n += 1;
    }
    stream.tcp.pause();
    await watch.next();
  }
  expect(seen).toEqual(ids);
  expect(hub.logs().filter(({ msg }) => /too slow/i.test(msg))).toEqual([]);
});
