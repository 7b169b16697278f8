import { expect, test } from "bun:test";
import { publishLines, publishOne, receiptOf } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { startHub } from "../../support/hub.ts";
import { numbered, padded } from "../../support/publish.ts";
import { joinLiveSse, joinSse } from "../../support/sse-stream.ts";

// The end of a hub: every stream is told before, and its response ends in good order (PROTOCOL.md section 4).

test("goodbye, with a delay of its own for each, then the end of the response", async () => {
  await using hub = await startHub();
  const streams = await Promise.all(Array.from({ length: 10 }, () => joinLiveSse(hub)));
  const { ids } = receiptOf(await publishLines(hub, numbered(20)));
  expect(await hub.stop()).toBe(0);
  const delays = new Set<number>();
  for (const stream of streams) {
    expect((await stream.messages(20)).map(({ id }) => id)).toEqual([...ids]);
    const { id, json } = await stream.nextEvent("goodbye");
    // It is no position: the last message's stays the one to resume from.
    expect(id).toBeUndefined();
    expect(json).toEqual({ type: "goodbye", reason: "shutdown", reconnect_after_ms: expect.any(Number) });
    const { reconnect_after_ms: delayMs } = json as { reconnect_after_ms: number };
    expect(Number.isInteger(delayMs) && delayMs > 0).toBe(true);
    delays.add(delayMs);
    expect(stream.lastId()).toBe(ids[19] ?? "");
    expect(await within(stream.ended, "end of the response")).toBe("whole");
    await stream[Symbol.asyncDispose]();
  }
  expect(delays.size).toBeGreaterThan(1);
});

test("what was answered right before is sent before goodbye", async () => {
  await using hub = await startHub();
  await using stream = await joinLiveSse(hub);
  const lines = padded(2_000, 500);
  const { ids } = receiptOf(await publishLines(hub, lines));
  expect(await hub.stop()).toBe(0);
  expect((await stream.messages(2_000)).map(({ id }) => id)).toEqual([...ids]);
  await stream.nextEvent("goodbye");
});

test("a stream in the middle of its replay is not told that it has what it has not", async () => {
  await using hub = await startHub();
  const lines = padded(30, 1_000_000);
  const ids: string[] = [];
  for (const at of [0, 15]) ids.push(...receiptOf(await publishLines(hub, lines.slice(at, at + 15))).ids);
  await using stream = await joinSse(hub, { since: "earliest" });
  const seen: string[] = [(await stream.nextMessage()).id];
  stream.tcp.pause();
  hub.kill("SIGTERM");
  await hub.waitForLog("the signal", ({ msg }) => msg === "Stopping");
  stream.tcp.resume();
  expect(await within(hub.exited, "exit")).toBe(0);
  while (true) {
    const block = await stream.next().catch(() => undefined);
    if (block === undefined || block.event === "goodbye") break;
    // How far the replay came before the signal is the machine's affair; `live` may come only after the whole of it.
    if (block.event === "live") expect(seen).toEqual(ids);
    else expect(block.event).toBeUndefined();
    if (block.event === undefined) seen.push(block.id ?? "");
  }
  expect(seen).toEqual(ids.slice(0, seen.length));
  expect(stream.lastId()).toBe(seen.at(-1) ?? "");
});

test("a reader that stands still does not keep the hub from ending", async () => {
  await using hub = await startHub();
  await using stalled = await joinLiveSse(hub);
  await using stream = await joinLiveSse(hub);
  stalled.tcp.pause();
  await publishLines(hub, padded(30, 100_000));
  const last = await publishOne(hub, "{}");
  expect(await hub.stop()).toBe(0);
  const messages = await stream.messages(31);
  expect(messages.at(-1)?.id).toBe(last);
  await stream.nextEvent("goodbye");
  expect(await within(stream.ended, "end of the response")).toBe("whole");
});
