import { expect, test } from "bun:test";
import { readiness } from "../../support/bridge.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";

// PROTOCOL.md section 7. A proxy may send the API's path to the hub: then BRIDGE_URL can lead back, or to another hub.

test("a bridge that leads to a hub is refused there: no message goes round, no worker is replaced", async () => {
  await using first = await startHub();
  await using hub = await startHub({ env: { BRIDGE_URL: first.wsUrl() } });
  await hub.waitForLog("no connection", ({ msg }) => msg === "No connection to the API");
  const { status, body } = await readiness(hub);
  expect(status).toBe(200);
  expect(body.checks.bridge).toMatchObject({
    ok: false,
    detail: "not connected: Expected 101 status code: 508",
  });

  await using worker = await joinWorker(first);
  await using _other = await joinWorker(hub);
  await using dashboard = await joinClient(hub, online());
  worker.send('{"type":"DOC_UPDATE"}');
  expect(await worker.untilPong()).toEqual([]);
  expect(await dashboard.untilPong()).toEqual([]);
});
