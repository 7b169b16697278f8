import { describe, expect, test } from "bun:test";
import { call, expectProblem, JSON_BODY } from "../../support/api.ts";
import type { RawResponse } from "../../support/http.ts";
import { type Hub, type HubEnv, SECRET, startHub } from "../../support/hub.ts";
import { joinWorker } from "../../support/parties.ts";
import { refusals, seriesValue } from "../../support/scrape.ts";
import { enter, knock, knockFrom, knockSse, requestFrom } from "../../support/visitor.ts";

// The limiter of wrong secrets (PROTOCOL.md section 1): only wrong ones count, and a right one always enters.

const LIMIT = 3;
const WORKER = "client_type=worker";

function start(env: HubEnv = {}): Promise<Hub> {
  return startHub({ env: { WRONG_SECRETS_PER_MINUTE: String(LIMIT), ...env } });
}

function expectTooMany(answer: Pick<RawResponse, "status" | "headers" | "body">): void {
  expectProblem(answer, 429, "too_many_failures");
  const retryAfterS = Number(answer.headers.get("retry-after"));
  expect(retryAfterS).toBeInteger();
  expect(retryAfterS).toBeWithin(1, 61);
}

/** A worker's handshake with a wrong secret, which is upgraded to be told so. */
async function expectCloseFrame(hub: Hub, query: string, headers: Record<string, string>): Promise<void> {
  await using worker = await enter(hub, { query, headers });
  expect((await worker.nextClose()).code).toBe(1008);
}

const WRONG: Record<string, { headers: Record<string, string>; query: string }> = {
  "in the header": { headers: { "x-worker-secret": "wrong" }, query: WORKER },
  "in the query": { headers: {}, query: `${WORKER}&token=wrong` },
};

describe.each(Object.keys(WRONG))("a worker's wrong secret %s", (name) => {
  const { headers, query } = WRONG[name] as (typeof WRONG)[string];

  test("is 429 before the upgrade, once an address has sent too many", async () => {
    await using hub = await start();
    for (let count = 0; count < LIMIT; count += 1) await expectCloseFrame(hub, query, headers);
    for (let count = 0; count < 3; count += 1) expectTooMany(await knock(hub, { query, headers }));
    expect(await refusals(hub, "too_many_failures")).toBe(3);
    expect(await seriesValue(hub, 'vectra_auth_failures_total{reason="wrong"}')).toBe(LIMIT + 3);
    expect(hub.logs().filter(({ msg }) => msg === "Too Many Wrong Secrets")).toHaveLength(1);
  });
});

test("a backend's wrong secret is 401, and then 429", async () => {
  await using hub = await start();
  const wrong = [{ "x-worker-secret": "wrong" }, { authorization: "Bearer wrong" }];
  const calls = [
    ["POST", "/api/v1/publish"],
    ["POST", "/api/v1/worker/messages"],
    ["GET", "/api/v1/worker/messages/1"],
    ["GET", "/api/v1/stats"],
  ] as const;
  const refused: number[] = [];
  for (const [method, path] of calls) {
    for (const headers of wrong) refused.push((await call(hub, path, { method, headers })).status);
  }
  expect(refused).toEqual([401, 401, 401, 429, 429, 429, 429, 429]);
  expectTooMany(await call(hub, "/api/v1/publish", { method: "POST", headers: wrong[0] ?? {} }));
});

test("WebSockets and HTTP are counted together", async () => {
  await using hub = await start();
  const headers = { "x-worker-secret": "wrong" };
  await expectCloseFrame(hub, WORKER, headers);
  expect((await call(hub, "/api/v1/stats", { headers })).status).toBe(401);
  await expectCloseFrame(hub, WORKER, headers);
  expectTooMany(await call(hub, "/api/v1/stats", { headers }));
  expectTooMany(await knock(hub, { query: WORKER, headers }));
});

describe("while an address is refused", () => {
  async function refuse(hub: Hub): Promise<void> {
    const headers = { "x-worker-secret": "wrong" };
    while ((await call(hub, "/api/v1/stats", { headers })).status !== 429);
  }

  test("the right secret enters from it as ever", async () => {
    await using hub = await start({ WORKER_SECRET_PREVIOUS: "the-one-before-the-present-one-5b1c" });
    await refuse(hub);
    await using _worker = await joinWorker(hub);
    await using _older = await enter(hub, { query: `${WORKER}&token=the-one-before-the-present-one-5b1c` });
    expect(await _older.nextText()).toContain('"online"');
    const answer = await call(hub, "/api/v1/publish", { method: "POST", headers: JSON_BODY, body: "{}" });
    expect(answer.status).toBe(202);
  });

  test("whoever shows no secret is answered as ever", async () => {
    await using hub = await start();
    await refuse(hub);
    for (let count = 0; count < 5; count += 1) {
      expect((await knock(hub)).status).toBe(101);
      expect((await knockSse(hub)).status).toBe(200);
      expectProblem(await call(hub, "/api/v1/stats"), 401, "unauthorized");
      await expectCloseFrame(hub, WORKER, {});
    }
    // A client's token is for forward-auth, and is no secret of a worker's.
    expect((await knock(hub, { query: "token=wrong" })).status).toBe(101);
    expect((await knock(hub, { headers: { authorization: "Bearer wrong" } })).status).toBe(101);
    expect((await call(hub, "/api/v1/worker", { headers: { authorization: "Bearer wrong" } })).status).toBe(
      200,
    );
  });

  test("every other address is answered as ever", async () => {
    await using hub = await start();
    await refuse(hub);
    const headers = { "x-worker-secret": "wrong" };
    const head = { path: "/api/v1/stats", headers: Object.entries(headers) };
    for (let count = 0; count < LIMIT; count += 1) {
      expectProblem(await requestFrom("127.0.0.2", hub.url, head), 401, "unauthorized");
    }
    expectTooMany(await requestFrom("127.0.0.2", hub.url, head));
    expectTooMany(await knockFrom("127.0.0.2", hub, { query: WORKER, headers }));
    const right = { query: WORKER, headers: { "x-worker-secret": SECRET } };
    expect((await knockFrom("127.0.0.2", hub, right)).status).toBe(101);
  });
});

test("who shows none, or a client's token, is not counted", async () => {
  await using hub = await start();
  for (let count = 0; count < 2 * LIMIT; count += 1) {
    await expectCloseFrame(hub, WORKER, {});
    await expectCloseFrame(hub, `${WORKER}&token=`, { "x-worker-secret": "" });
    expectProblem(await call(hub, "/api/v1/stats"), 401, "unauthorized");
    expect((await knock(hub, { query: "token=wrong" })).status).toBe(101);
  }
  await expectCloseFrame(hub, `${WORKER}&token=wrong`, {});
});

test("an IPv6 /64 is one address", async () => {
  await using hub = await start({ TRUST_PROXY: "1" });
  const from = (address: string) =>
    call(hub, "/api/v1/stats", { headers: { "x-worker-secret": "wrong", "x-forwarded-for": address } });
  for (let host = 1; host <= LIMIT; host += 1) {
    expectProblem(await from(`2001:db8:1:2::${host}`), 401, "unauthorized");
  }
  expectTooMany(await from("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  expectProblem(await from("2001:db8:1:3::1"), 401, "unauthorized");
});

test("0 is no limit", async () => {
  await using hub = await start({ WRONG_SECRETS_PER_MINUTE: "0" });
  for (let count = 0; count < 300; count += 1) {
    const answer = await call(hub, "/api/v1/stats", { headers: { "x-worker-secret": "wrong" } });
    expect(answer.status).toBe(401);
  }
});
