import { describe, expect, test } from "bun:test";
import { AUTHORIZED, call, expectProblem, publish } from "../../support/api.ts";
import { readScrape } from "../../support/exposition.ts";
import { type Hub, type HubEnv, SECRET, startHub } from "../../support/hub.ts";
import { joinClient } from "../../support/parties.ts";
import { openRaw } from "../../support/rawsocket.ts";

// Who may see what operators look at: ENV, OPS_TOKEN and OPS_PORT (PROTOCOL.md section 4).

describe("who may see it", () => {
  const TOKEN = "ops-4d1c7be09a52f386";
  const production: HubEnv = { ENV: "production", OPS_TOKEN: TOKEN };
  const byToken = { authorization: `Bearer ${TOKEN}` };

  test("in development everyone, stats not", async () => {
    await using hub = await startHub();
    expect((await call(hub, "/metrics")).status).toBe(200);
    expectProblem(await call(hub, "/api/v1/stats"), 401, "unauthorized");
  });

  test("in production who has the secret", async () => {
    await using hub = await startHub({ env: { ENV: "production" } });
    for (const path of ["/metrics", "/api/v1/stats"]) {
      expectProblem(await call(hub, path), 401, "unauthorized");
      expectProblem(await call(hub, path, { headers: { "x-worker-secret": TOKEN } }), 401, "unauthorized");
      expect((await call(hub, path, { headers: AUTHORIZED })).status).toBe(200);
      expect((await call(hub, path, { headers: { authorization: `Bearer ${SECRET}` } })).status).toBe(200);
    }
  });

  test("or OPS_TOKEN, which opens nothing else", async () => {
    await using hub = await startHub({ env: production });
    for (const headers of [byToken, { "x-worker-secret": TOKEN }]) {
      for (const path of ["/metrics", "/api/v1/stats"]) {
        expect((await call(hub, path, { headers })).status).toBe(200);
      }
      const typed = { ...headers, "content-type": "application/json" };
      for (const path of ["/api/v1/publish", "/api/v1/worker/messages"]) {
        const post = { method: "POST", headers: typed, body: "{}" };
        expectProblem(await call(hub, path, post), 401, "unauthorized");
      }
      expectProblem(await call(hub, "/api/v1/worker/messages/1", { headers }), 401, "unauthorized");
    }
    await using worker = await openRaw(hub.wsUrl(`client_type=worker&token=${TOKEN}`));
    expect((await worker.nextClose()).code).toBe(1008);
    expect(hub.output()).not.toContain(TOKEN);
  });

  test("with OPS_PORT everyone who reaches that, where nothing else is; and nobody on PORT", async () => {
    await using hub = await startHub({ env: { ...production, OPS_PORT: "0" } });
    const [line] = await hub.waitForLogs(
      "the listener for operators",
      1,
      ({ ops_url }) => ops_url !== undefined,
    );
    const url = String(line?.["ops_url"]);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const ops: Hub = { ...hub, url };

    for (const path of ["/metrics", "/healthz", "/readyz"]) expect((await call(ops, path)).status).toBe(200);
    expectProblem(await call(ops, "/api/v1/stats"), 401, "unauthorized");
    expect((await call(ops, "/api/v1/stats", { headers: byToken })).status).toBe(200);
    for (const path of ["/metrics", "/healthz", "/readyz", "/api/v1/stats"]) {
      expectProblem(await call(hub, path, { headers: AUTHORIZED }), 404, "not_found");
    }
    for (const path of ["/ws", "/api/v1/ws", "/api/v1/events", "/api/v1/worker"]) {
      expectProblem(await call(ops, path, { headers: AUTHORIZED }), 404, "not_found");
    }
    expectProblem(await publish(ops, "{}"), 404, "not_found");

    await using _client = await joinClient(hub);
    const page = readScrape((await call(ops, "/metrics")).body);
    expect(page.get('vectra_connections{type="client",transport="websocket"}')).toBe(1);
  });
});
