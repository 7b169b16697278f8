import { describe, expect, test } from "bun:test";
import {
  BROADCASTS,
  bridgedHub,
  bridgedWorker,
  changedRole,
  openSockets,
  readiness,
  untilApiSays,
} from "../../support/bridge.ts";
import { SECRET, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { startVectraApi } from "../../support/vectra-api.ts";

// PROTOCOL.md section 7: an unmodified Vectra API process stays in service behind the hub.

describe("an API that is not there", () => {
  test("at the start is a warning, and is found when it comes", async () => {
    const first = startVectraApi();
    await first.stop();
    await using hub = await startHub({ env: { BRIDGE_URL: `${first.wsUrl}?token=hidden` } });
    await hub.waitForLog("no connection", ({ msg }) => msg === "No connection to the API");
    expect(await readiness(hub)).toEqual({
      status: 200,
      body: expect.objectContaining({
        status: "ready",
        checks: expect.objectContaining({
          bridge: { ok: false, detail: "not connected: ECONNREFUSED", isWarning: true },
        }),
      }),
    });
    await using worker = await joinWorker(hub);
    await using dashboard = await joinClient(hub, online());

    await using api = startVectraApi({ port: first.port });
    await api.until("a worker in the API's slot", () => api.worker() !== undefined);
    await changedRole(hub);
    expect((await readiness(hub)).body.checks.bridge).toEqual({
      ok: true,
      detail: "connected as worker",
      isWarning: true,
    });
    expect(await untilApiSays(api, dashboard)).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
    expect(hub.output()).not.toContain("hidden");
  });

  test.each(["reset", "closed"])("for a while, its connections %s, is found again", async (how) => {
    const first = startVectraApi();
    await using hub = await bridgedHub(first);
    await using _worker = await bridgedWorker(hub);
    await using dashboard = await joinClient(hub, online());
    if (how === "closed") first.closeAll(1012);
    await first.stop();
    await hub.waitForLog("no connection", ({ msg }) => msg === "No connection to the API");

    await using api = startVectraApi({ port: first.port });
    await api.until("a worker in the API's slot", () => api.worker() !== undefined);
    await changedRole(hub, 2);
    expect(await untilApiSays(api, dashboard)).toEqual([]);
  });

  test("because it hangs, is given up and tried again", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api, { HEARTBEAT_INTERVAL_MS: "100", HEARTBEAT_TIMEOUT_MS: "300" });
    api.hang();
    await api.until("the end of the connection", () => api.sockets[0]?.ended !== undefined);
    await hub.waitForLog("it was mute", ({ why }) => String(why).startsWith("mute"));
    await api.until("another connection", () => api.sockets.length > 1);
  });

  test("although it answers, is told from one that is there", async () => {
    await using other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("some other server"),
    });
    await using hub = await startHub({ env: { BRIDGE_URL: `ws://127.0.0.1:${other.port}/ws` } });
    await hub.waitForLogs("no connection", 1, ({ msg }) => msg === "No connection to the API");
    const { status, body } = await readiness(hub);
    expect(status).toBe(200);
    expect(body.checks.bridge).toEqual({
      ok: false,
      detail: "not connected: Expected 101 status code: 200",
      isWarning: true,
    });
  });

  test("does not keep the hub from stopping", async () => {
    const first = startVectraApi();
    await first.stop();
    await using hub = await startHub({ env: { BRIDGE_URL: first.wsUrl } });
    expect(await hub.stop()).toBe(0);
  });
});

test("an API with another secret is still listened to, and readyz tells why it sees no worker", async () => {
  await using api = startVectraApi({ secret: "another-one" });
  await using hub = await bridgedHub(api);
  await using worker = await joinWorker(hub);
  await using dashboard = await joinClient(hub, online());
  await hub.waitForLog("refused as worker", ({ msg }) => msg === "No worker connection");
  await api.until("it is tried again", () => api.refusedCount() >= 2);
  expect(await readiness(hub)).toMatchObject({
    status: 200,
    body: {
      status: "ready",
      checks: {
        bridge: {
          ok: false,
          detail: "connected as client; as worker: Expected 101 status code: 403",
          isWarning: true,
        },
      },
    },
  });
  for (const text of BROADCASTS) api.broadcast(text);
  expect(await untilApiSays(api, dashboard)).toEqual(BROADCASTS);
  expect(openSockets(api)).toEqual(["client"]);
  expect(await worker.untilPong()).toEqual([]);
  expect(hub.output()).not.toContain(SECRET);
});
