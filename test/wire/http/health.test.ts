import { describe, expect, test } from "bun:test";
import { type Answer, call, publish } from "../../support/api.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";

// GET /healthz and GET /readyz (PROTOCOL.md section 4), for anybody.

interface Readiness {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

function expectJson(answer: Answer, status: number): unknown {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  return JSON.parse(answer.body);
}

async function readiness(hub: Hub, status: number): Promise<Readiness> {
  return expectJson(await call(hub, "/readyz"), status) as Readiness;
}

test("/healthz is 200 while the process is up", async () => {
  await using hub = await startHub();
  expect(expectJson(await call(hub, "/healthz"), 200)).toEqual({ status: "ok" });
});

test("/readyz is 200 and lists the checks, with and without a worker", async () => {
  await using hub = await startHub();
  const ready = { status: "ready", checks: { listener: { ok: true }, history: { ok: true } } };
  expect(await readiness(hub, 200)).toEqual(ready);
  await using _worker = await joinWorker(hub);
  await using _client = await joinClient(hub, online());
  expect(await readiness(hub, 200)).toEqual(ready);
});

test.each(["/healthz", "/readyz"])("HEAD %s answers without a body", async (path) => {
  await using hub = await startHub();
  const answer = await call(hub, path, { method: "HEAD" });
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: "" });
});

describe("while it drains", () => {
  test("/readyz is 503 and says why, /healthz is 200, and everything is still served", async () => {
    await using hub = await startHub({ env: { DRAIN_DELAY_MS: "600000" } });
    await using client = await joinClient(hub);
    hub.kill("SIGTERM");
    await hub.waitForLog("the signal", ({ msg }) => msg === "Stopping");
    while ((await call(hub, "/readyz")).status === 200) await Bun.sleep(1);
    const { status, checks } = await readiness(hub, 503);
    expect(status).toBe("not_ready");
    expect(checks["listener"]).toEqual({ ok: false, detail: expect.stringMatching(/./) });
    expect(checks["history"]).toEqual({ ok: true });
    expectJson(await call(hub, "/healthz"), 200);
    expect((await publish(hub, '{"n":1}')).status).toBe(202);
    expect(await client.next()).toBe('{"n":1}');
  });
});
