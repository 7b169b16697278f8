import { describe, expect, test } from "bun:test";
import { call, publishOne } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { growth, growthSince, scrape } from "../../support/exposition.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient, joinRawClient, joinRawWorker, joinWorker, OFFLINE } from "../../support/parties.ts";
import { openRaw } from "../../support/rawsocket.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinLive } from "../../support/streamclient.ts";
import { knock } from "../../support/visitor.ts";

// GET /metrics (PROTOCOL.md section 4): what it counts of those who come, stay, and are sent away.

describe("who comes and goes is counted", () => {
  async function connections(hub: Hub): Promise<(number | undefined)[]> {
    const page = await scrape(hub);
    return [
      'type="client",transport="websocket"',
      'type="client",transport="sse"',
      'type="worker",transport="websocket"',
    ].map((labels) => page.get(`vectra_connections{${labels}}`));
  }

  test("while they are there", async () => {
    await using hub = await startHub();
    expect(await connections(hub)).toEqual([0, 0, 0]);
    await using raw = await joinClient(hub);
    await using _stream = await joinLive(hub);
    await using events = await joinLiveSse(hub);
    await using worker = await joinWorker(hub);
    expect(await connections(hub)).toEqual([2, 1, 1]);
    const page = await scrape(hub);
    expect(page.get("vectra_worker_online")).toBe(1);
    expect(page.get("vectra_worker_last_seen_seconds")).toBeGreaterThanOrEqual(0);

    await raw.close();
    await worker.close();
    events.tcp.reset();
    const left = async (): Promise<void> => {
      while ((await connections(hub)).join() !== "1,0,0") await Bun.sleep(5);
    };
    await within(left(), "the end of three connections");
    const afterwards = await scrape(hub);
    expect(afterwards.get("vectra_worker_online")).toBe(0);
    expect(afterwards.get("vectra_worker_last_seen_seconds")).toBe(-1);
  });

  test("who had no secret, or a wrong one", async () => {
    await using hub = await startHub();
    const grown = await growth(hub, async () => {
      for (const query of ["client_type=worker", "client_type=worker&token=wrong"]) {
        await using refused = await openRaw(hub.wsUrl(query));
        expect((await refused.nextClose()).code).toBe(1008);
      }
      const post = { method: "POST", body: "{}" };
      await call(hub, "/api/v1/publish", post);
      await call(hub, "/api/v1/publish", { ...post, headers: { authorization: "Bearer wrong" } });
      await call(hub, "/api/v1/stats", { headers: { "x-worker-secret": "wrong" } });
    });
    expect(grown).toEqual({ "auth_failures_total missing": 2, "auth_failures_total wrong": 3 });
  });

  test("who was turned away", async () => {
    const env = { ENV: "production", MAX_CONNECTIONS: "2", MAX_CONNECTIONS_PER_ADDRESS: "1" };
    await using hub = await startHub({ env });
    await using _client = await joinClient(hub);
    const grown = await growth(hub, async () => {
      expect((await knock(hub, { headers: { origin: "http://elsewhere.example" } })).status).toBe(403);
      expect((await knock(hub)).status).toBe(503);
      await using unknown = await openRaw(hub.wsUrl("client_type=robot"));
      expect((await unknown.nextClose()).code).toBe(1008);
    });
    expect(grown).toEqual({
      "refusals_total origin": 1,
      "refusals_total address_capacity": 1,
      "refusals_total client_type": 1,
    });
  });

  test("who read too slowly", async () => {
    const env = { MAX_MESSAGE_BYTES: "65536", SLOW_CONSUMER_BYTES: "262144" };
    await using hub = await startHub({ env });
    await using stalled = await joinRawClient(hub);
    await using stalledEvents = await joinLiveSse(hub);
    stalled.tcp.pause();
    stalledEvents.tcp.pause();
    const before = await scrape(hub);
    const fill = "x".repeat(60_000);
    const slow = async (): Promise<void> => {
      const counts = (grown: Record<string, number>): unknown[] =>
        ["websocket", "sse"].map((transport) => grown[`slow_consumers_total ${transport}`]);
      while (counts(growthSince(before, await scrape(hub))).join() !== "1,1") {
        for (let n = 0; n < 10; n += 1) await publishOne(hub, `{"fill":"${fill}"}`);
      }
    };
    await within(slow(), "the end of two who do not read");
  });

  test("who said nothing for too long", async () => {
    const env = { HEARTBEAT_INTERVAL_MS: "100", HEARTBEAT_TIMEOUT_MS: "300", WORKER_TIMEOUT_MS: "300" };
    await using hub = await startHub({ env });
    await using client = await joinRawClient(hub, OFFLINE, { pings: "ignore" });
    await using worker = await joinRawWorker(hub, { pings: "ignore" });
    await within(Promise.all([client.tcp.closed, worker.tcp.closed]), "the end of two who say nothing");
    const page = await scrape(hub);
    expect(page.get('vectra_timeouts_total{type="client"}')).toBe(1);
    expect(page.get('vectra_timeouts_total{type="worker"}')).toBe(1);
  });
});
