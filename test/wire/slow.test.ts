import { expect, test } from "bun:test";
import { OPCODE, readClose } from "../support/frame.ts";
import { type Hub, type HubEnv, startHub } from "../support/hub.ts";
import { joinClient, joinRawClient, joinWorker, online } from "../support/parties.ts";
import type { RawSocket } from "../support/rawsocket.ts";
import type { WsClient } from "../support/wsclient.ts";

// PROTOCOL.md section 1, close code 1013: a consumer that is too slow is disconnected, never skipped.

const env: HubEnv = { MAX_MESSAGE_BYTES: "65536", SLOW_CONSUMER_BYTES: "262144" };
const FILL = "x".repeat(60_000);

const message = (n: number): string => `{"n":${n},"fill":"${FILL}"}`;

/** Publishes until the hub has given the stalled client up. @returns how many messages that took */
async function publishUntilGivenUp(hub: Hub, worker: WsClient, healthy: WsClient): Promise<number> {
  // Far more than the buffers of two kernel sockets and the limit can hold.
  for (let n = 0; n < 2000; n += 20) {
    for (let more = 0; more < 20; more += 1) worker.send(message(n + more));
    await worker.untilPong();
    expect(await healthy.untilPong()).toEqual(Array.from({ length: 20 }, (_, more) => message(n + more)));
    if (hub.logs().some((line) => line.event === "FINISH" && "conn_id" in line)) return n + 20;
  }
  throw new Error("the stalled client was never given up");
}

/** The messages that still arrive, and how it ended. */
async function readToTheEnd(socket: RawSocket): Promise<{ texts: string[]; code: number | undefined }> {
  const texts: string[] = [];
  while (true) {
    const frame = await socket.next().catch(() => undefined);
    if (frame === undefined) return { texts, code: undefined };
    if (frame.opcode === OPCODE.close) return { texts, code: readClose(frame).code };
    texts.push(Buffer.from(frame.payload).toString());
  }
}

test("a client that stops reading is disconnected with 1013, without a hole in what it got; the others get all", async () => {
  await using hub = await startHub({ env: { ...env, LOG_LEVEL: "debug" } });
  await using worker = await joinWorker(hub);
  await using healthy = await joinClient(hub, online());
  await using stalled = await joinRawClient(hub, online());
  stalled.tcp.pause();
  const published = await publishUntilGivenUp(hub, worker, healthy);
  worker.send(message(published));
  await worker.untilPong();
  expect(await healthy.untilPong()).toEqual([message(published)]);
  stalled.tcp.resume();

  const { texts, code } = await readToTheEnd(stalled);
  // The close frame may be cut off with the rest of what a peer did not read in time: that is a 1006 to it.
  if (code !== undefined) expect(code).toBe(1013);
  // What came after it was given up is not for it.
  expect(texts.length).toBeLessThanOrEqual(published);
  expect(texts).toEqual(Array.from({ length: texts.length }, (_, n) => message(n)));
  await hub.waitForLog("the slow consumer", (line) => line.event === "FAIL" && line.level === "warning");
  expect(await worker.untilPong()).toEqual([]);
});

test("a client that pauses within the limit misses nothing", async () => {
  await using hub = await startHub({ env });
  await using worker = await joinWorker(hub);
  await using client = await joinRawClient(hub, online());
  client.tcp.pause();
  const texts = Array.from({ length: 4 }, (_, n) => message(n));
  for (const text of texts) worker.send(text);
  await worker.untilPong();
  client.tcp.resume();
  for (const text of texts) expect(await client.nextText()).toBe(text);
  expect(await client.untilPong()).toEqual([]);
});
