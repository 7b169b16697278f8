import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { type HubEnv, startHub } from "../support/hub.ts";
import {
  joinClient,
  joinRawClient,
  joinRawWorker,
  joinWorker,
  OFFLINE,
  online,
  register,
} from "../support/parties.ts";

// PROTOCOL.md section 1: when a worker counts as offline. How it ended (closed, reset, hung) makes no difference.

describe("a worker's end", () => {
  test("is announced when it closes", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const worker = await joinWorker(hub);
    await worker.close();
    for (const status of [online(), OFFLINE]) expect(await client.next()).toBe(status);
    expect(await client.untilPong()).toEqual([]);
    await using _late = await joinClient(hub, OFFLINE);
  });

  test("is announced when its TCP connection just ends", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using worker = await joinRawWorker(hub);
    worker.tcp.halfClose();
    for (const status of [online(), OFFLINE]) expect(await client.next()).toBe(status);
    expect(await client.untilPong()).toEqual([]);
  });
});

describe("a worker that hangs", () => {
  const env: HubEnv = { HEARTBEAT_INTERVAL_MS: "100", WORKER_TIMEOUT_MS: "500" };

  test("is offline after WORKER_TIMEOUT_MS, cut off, and not listened to any more", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    await using worker = await joinRawWorker(hub, { pings: "ignore" });
    expect(await client.next()).toBe(online());
    expect(await client.next()).toBe(OFFLINE);

    worker.text('{"type":"DOC_UPDATE","from":"the dead"}');
    worker.text(register({ hostname: "the dead" }));
    await within(worker.tcp.closed, "end of the hung worker");
    expect(worker.pings()).toBeGreaterThan(0);
    expect(await client.untilPong()).toEqual([]);
    client.send("get_worker_status");
    expect(await client.next()).toBe(OFFLINE);
  });

  test("may be followed by another one", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    await using _hung = await joinRawWorker(hub, { pings: "ignore" });
    for (const status of [online(), OFFLINE]) expect(await client.next()).toBe(status);
    await using worker = await joinWorker(hub);
    worker.send('{"type":"DOC_UPDATE"}');
    for (const text of [online(), '{"type":"DOC_UPDATE"}']) expect(await client.next()).toBe(text);
  });

  test("is told from one that only answers pings, and from one that only sends text pings", async () => {
    await using hub = await startHub({ env: { ...env, WORKER_POLICY: "shared" } });
    // Ten intervals are twice the time-out: whoever had been missed would be gone by then.
    await using answering = await joinRawWorker(hub, { pings: "answer" });
    await using client = await joinClient(hub, online());
    await answering.waitForPings(10);
    expect(await client.untilPong()).toEqual([]);

    await using sending = await joinRawWorker(hub, { pings: "ignore" });
    for (let count = 1; count <= 10; count += 1) {
      await sending.waitForPings(count);
      sending.text("ping");
      expect(await sending.nextText()).toBe("pong");
    }
    expect(await client.untilPong()).not.toContain(OFFLINE);
  });
});

describe("WORKER_OFFLINE_GRACE_MS", () => {
  test("keeps the status online, name and all, while a new worker may still come", async () => {
    await using hub = await startHub({ env: { WORKER_OFFLINE_GRACE_MS: "600000" } });
    await using client = await joinClient(hub);
    const worker = await joinWorker(hub);
    worker.send(register({ hostname: "restarting" }));
    await worker.untilPong();
    await worker.close();
    await using _late = await joinClient(hub, online({ hostname: "restarting" }));
    expect(await client.untilPong()).toEqual([online(), online({ hostname: "restarting" })]);
    client.send("get_worker_status");
    expect(await client.next()).toBe(online({ hostname: "restarting" }));

    await using next = await joinWorker(hub);
    next.send(register({ hostname: "restarted" }));
    await next.untilPong();
    expect(await client.untilPong()).toEqual([online(), online({ hostname: "restarted" })]);
  });

  test("ends with offline when no new worker comes", async () => {
    await using hub = await startHub({ env: { WORKER_OFFLINE_GRACE_MS: "400" } });
    await using client = await joinClient(hub);
    const worker = await joinWorker(hub);
    await worker.close();
    for (const status of [online(), OFFLINE]) expect(await client.next()).toBe(status);
    await using _late = await joinClient(hub, OFFLINE);
    expect(await client.untilPong()).toEqual([]);
  });

  test("is over once a new worker has come: its end announces nothing", async () => {
    await using hub = await startHub({
      env: { HEARTBEAT_INTERVAL_MS: "100", WORKER_OFFLINE_GRACE_MS: "2000" },
    });
    await using client = await joinRawClient(hub, OFFLINE, { pings: "answer" });
    const worker = await joinWorker(hub);
    await worker.close();
    await using _next = await joinWorker(hub);
    // The hub's own pings are the clock: more than the grace passes.
    await client.waitForPings(client.pings() + 25);
    expect(await client.untilPong()).toEqual([online(), online()]);
  });

  test("counts for a worker that hung as well", async () => {
    const env = { HEARTBEAT_INTERVAL_MS: "100", WORKER_TIMEOUT_MS: "400", WORKER_OFFLINE_GRACE_MS: "600000" };
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    await using hung = await joinRawWorker(hub, { pings: "ignore" });
    await within(hung.tcp.closed, "end of the hung worker");
    client.send("get_worker_status");
    expect(await client.untilPong()).toEqual([online(), online()]);
  });

  test("does not stop a hub that is told to stop", async () => {
    await using hub = await startHub({ env: { WORKER_OFFLINE_GRACE_MS: "600000" } });
    const worker = await joinWorker(hub);
    await worker.close();
    expect(await hub.stop()).toBe(0);
  });
});
