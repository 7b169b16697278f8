import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { type HubEnv, startHub } from "../support/hub.ts";
import { joinClient, joinRawClient, joinRawWorker, joinWorker, OFFLINE, online } from "../support/parties.ts";
import { openRaw } from "../support/rawsocket.ts";

// PROTOCOL.md section 6. The mute peers here read all they are sent and never say a word, not even a pong.

const env: HubEnv = { HEARTBEAT_INTERVAL_MS: "100", HEARTBEAT_TIMEOUT_MS: "500", WORKER_TIMEOUT_MS: "500" };

test("a mute client is gone although the hub keeps sending to it; one that answers pings stays", async () => {
  await using hub = await startHub({ env });
  await using worker = await joinWorker(hub);
  await using healthy = await joinRawClient(hub, online(), { pings: "answer" });
  await using mute = await joinRawClient(hub, online(), { pings: "ignore" });
  let published = 0;
  const publishing = setInterval(() => {
    published += 1;
    worker.send(`{"type":"DOC_PROGRESS","processed":${published}}`);
  }, 20);
  try {
    await within(mute.tcp.closed, "end of the mute client");
  } finally {
    clearInterval(publishing);
  }
  // It was pinged and sent to until the end: silence alone has ended it.
  expect(mute.pings()).toBeGreaterThan(1);
  expect(await mute.nextText()).toBe('{"type":"DOC_PROGRESS","processed":1}');

  await worker.untilPong();
  const received = await healthy.untilPong();
  expect(received).toHaveLength(published);
});

test("a mute worker is gone, and the clients know", async () => {
  await using hub = await startHub({ env });
  await using client = await joinClient(hub);
  await using mute = await joinRawWorker(hub, { pings: "ignore" });
  expect([await client.next(), await client.next()]).toEqual([online(), OFFLINE]);
  await within(mute.tcp.closed, "end of the mute worker");
  expect(mute.pings()).toBeGreaterThan(1);
});

test("a refused worker that keeps its side open is gone as well", async () => {
  await using hub = await startHub({ env });
  await using refused = await openRaw(hub.wsUrl("client_type=worker"), { pings: "ignore" });
  expect((await refused.nextClose()).code).toBe(1008);
  await within(refused.tcp.closed, "end of the refused worker");
});

test("a client that says something, whatever it is, need not answer pings", async () => {
  await using hub = await startHub({ env });
  await using talking = await joinRawClient(hub, OFFLINE, { pings: "ignore" });
  for (let count = 1; count <= 12; count += 1) {
    await talking.waitForPings(count);
    talking.text("ignored, but alive");
  }
  expect(await talking.untilPong()).toEqual([]);
});

describe("after the hub itself was stopped for longer than the time-outs", () => {
  test("healthy clients and workers stay, mute ones do not", async () => {
    await using hub = await startHub({ env });
    await using worker = await joinRawWorker(hub, { pings: "answer" });
    await using client = await joinRawClient(hub, online(), { pings: "answer" });
    await using browser = await joinClient(hub, online());
    await using mute = await joinRawClient(hub, online(), { pings: "ignore" });
    await Promise.all([worker.waitForPings(1), client.waitForPings(1)]);

    hub.kill("SIGSTOP");
    await Bun.sleep(1500);
    hub.kill("SIGCONT");

    await within(mute.tcp.closed, "end of the mute client");
    await Promise.all([worker.waitForPings(worker.pings() + 12), client.waitForPings(client.pings() + 12)]);
    expect(await worker.untilPong()).toEqual([]);
    expect(await client.untilPong()).toEqual([]);
    expect(await browser.untilPong()).toEqual([]);
    client.text("get_worker_status");
    expect(await client.nextText()).toBe(online());
  });
});
