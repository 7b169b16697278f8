import { expect, test } from "bun:test";
import { publish } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinRawWorker, OFFLINE } from "../../support/parties.ts";
import { joinLiveSse, joinSse, type SseStream } from "../../support/sse-stream.ts";
import { joinLive, joinStream, joinStreamWorker } from "../../support/streamclient.ts";
import { enter } from "../../support/visitor.ts";

// CLIENT_MAX_AGE_MS (PROTOCOL.md section 4): a client's connection ends, so that it has to be let in anew.

function start(): Promise<Hub> {
  const env = { CLIENT_MAX_AGE_MS: "300", HEARTBEAT_INTERVAL_MS: "100" };
  return startHub({ env });
}

test("a raw client is sent away with 1012, however lively it is", async () => {
  await using hub = await start();
  await using client = await enter(hub);
  expect(await client.nextText()).toBe(OFFLINE);
  expect(await client.nextClose()).toEqual({ code: 1012, reason: expect.stringMatching(/./) });
  await using again = await enter(hub);
  expect(await again.nextText()).toBe(OFFLINE);
});

test("a stream-framed client is sent away with 1012, and resumes without a gap", async () => {
  await using hub = await start();
  await using client = await joinLive(hub);
  await publish(hub, '{"n":1}');
  const { code, frames } = await client.untilClose();
  expect(code).toBe(1012);
  await publish(hub, '{"n":2}');
  await using again = await joinStream(hub, { since: client.cursor() });
  expect(again.hello.resumed).toBe(true);
  const messages = [...frames, ...(await again.untilLive()).messages];
  expect(messages.flatMap((frame) => (frame.type === "message" ? [frame.data] : []))).toEqual([
    '{"n":1}',
    '{"n":2}',
  ]);
});

test("an event stream ends in good order, and resumes without a gap", async () => {
  await using hub = await start();
  await using stream = await joinLiveSse(hub);
  await publish(hub, '{"n":1}');
  expect(await within(stream.ended, "the end of the stream")).toBe("whole");
  const before = await textsLeft(stream);
  await publish(hub, '{"n":2}');
  await using again = await joinSse(hub, { lastEventId: stream.lastId() });
  expect(again.hello.resumed).toBe(true);
  const after = (await again.untilLive()).messages.map(({ data }) => data);
  expect([...before, ...after]).toEqual(['{"n":1}', '{"n":2}']);
});

/** The messages that are left of a stream that has ended. */
async function textsLeft(stream: SseStream): Promise<string[]> {
  const texts: string[] = [];
  while (true) {
    const block = await stream.next().catch(() => undefined);
    if (block === undefined) return texts;
    if (block.event === undefined && block.data !== undefined) texts.push(block.data);
  }
}

test("a worker stays", async () => {
  await using hub = await start();
  await using raw = await joinRawWorker(hub, { pings: "answer" });
  await using client = await enter(hub);
  await client.nextText();
  expect((await client.nextClose()).code).toBe(1012);
  expect(await raw.untilPong()).toEqual([]);
  await using stream = await joinStreamWorker(hub);
  await using second = await enter(hub);
  await second.nextText();
  expect((await second.nextClose()).code).toBe(1012);
  expect(await stream.untilPong()).toEqual([]);
});
