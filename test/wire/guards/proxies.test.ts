import { describe, expect, test } from "bun:test";
import { call, expectProblem } from "../../support/api.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { enter, knock, knockFrom, knockSse } from "../../support/visitor.ts";

// TRUST_PROXY (PROTOCOL.md section 4): whose connection it is, as far as the limits and the log are concerned.

const ONE_EACH = { MAX_CONNECTIONS_PER_ADDRESS: "1" };

const from = (...entries: string[]) => ({ headers: { "x-forwarded-for": entries.join(", ") } });

/** Whether a client with this header counts as another one than the client that is in. */
async function isAnother(hub: Hub, ...entries: string[]): Promise<boolean> {
  const answer = await knock(hub, from(...entries));
  if (answer.status === 101) return true;
  expectProblem(answer, 503, "address_capacity");
  return false;
}

describe("by default", () => {
  test("the header counts for nothing: no limit is evaded with it", async () => {
    await using hub = await startHub({ env: ONE_EACH });
    await using _client = await enter(hub, from("192.0.2.1"));
    expect(await isAnother(hub, "192.0.2.2")).toBe(false);
    expect(await isAnother(hub, "192.0.2.2", "192.0.2.3")).toBe(false);
    expectProblem(await knockSse(hub, from("192.0.2.4")), 503, "address_capacity");
    expectProblem(await knock(hub, { headers: { "x-real-ip": "192.0.2.5" } }), 503, "address_capacity");
    expectProblem(await knock(hub, { headers: { forwarded: "for=192.0.2.6" } }), 503, "address_capacity");
    expect((await knockFrom("127.0.0.2", hub, from("192.0.2.1"))).status).toBe(101);
  });

  test("nor is a wrong secret put on another's account", async () => {
    await using hub = await startHub({ env: { WRONG_SECRETS_PER_MINUTE: "2" } });
    const wrong = (victim: string) =>
      call(hub, "/api/v1/stats", { headers: { "x-worker-secret": "wrong", "x-forwarded-for": victim } });
    expect((await wrong("192.0.2.1")).status).toBe(401);
    expect((await wrong("192.0.2.2")).status).toBe(401);
    expect((await wrong("192.0.2.3")).status).toBe(429);
  });

  test("the log names the peer", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    await knock(hub, from("192.0.2.1"));
    const line = await hub.waitForLog("the connection", ({ event }) => event === "CONNECT");
    expect(line["address"]).toBe("127.0.0.1");
    expect(hub.output()).not.toContain("192.0.2.1");
  });
});

describe("behind one proxy", () => {
  const env = { ...ONE_EACH, TRUST_PROXY: "1" };

  test("the entry that it wrote counts, the last; what the client wrote before it does not", async () => {
    await using hub = await startHub({ env });
    await using _client = await enter(hub, from("192.0.2.1"));
    expect(await isAnother(hub, "192.0.2.2")).toBe(true);
    expect(await isAnother(hub, "192.0.2.2", "192.0.2.1")).toBe(false);
    expect(await isAnother(hub, "192.0.2.3", "::1", "192.0.2.1")).toBe(false);
    expect(await isAnother(hub, "192.0.2.1", "192.0.2.9")).toBe(true);
  });

  test("two headers are one, in their order", async () => {
    await using hub = await startHub({ env });
    await using _client = await enter(hub, from("192.0.2.1"));
    const headers = { "x-forwarded-for": "192.0.2.2", "X-Forwarded-For": "192.0.2.1" };
    expectProblem(await knock(hub, { headers }), 503, "address_capacity");
  });

  test("a port or brackets make no other address", async () => {
    await using hub = await startHub({ env });
    await using _four = await enter(hub, from("192.0.2.1"));
    expect(await isAnother(hub, "192.0.2.1:4711")).toBe(false);
    expect(await isAnother(hub, "::ffff:192.0.2.1")).toBe(false);
    await using _six = await enter(hub, from("2001:db8::1"));
    expect(await isAnother(hub, "[2001:db8::1]:4711")).toBe(false);
    expect(await isAnother(hub, "2001:0DB8:0::0:1")).toBe(false);
  });

  test("without the header, or with nonsense in it, the peer counts", async () => {
    await using hub = await startHub({ env });
    await using _client = await enter(hub);
    for (const nonsense of ["unknown", "_hidden", "", "192.0.2", "x".repeat(2_000), "192.0.2.1;", "%00"]) {
      expect([nonsense, await isAnother(hub, nonsense)]).toEqual([nonsense, false]);
    }
  });
});

test("behind two proxies the outer one's entry counts", async () => {
  await using hub = await startHub({ env: { ...ONE_EACH, TRUST_PROXY: "2" } });
  await using _client = await enter(hub, from("192.0.2.1", "10.0.0.1"));
  expect(await isAnother(hub, "192.0.2.1", "10.0.0.2")).toBe(false);
  expect(await isAnother(hub, "203.0.113.9", "192.0.2.1", "10.0.0.1")).toBe(false);
  expect(await isAnother(hub, "192.0.2.1", "192.0.2.2", "10.0.0.1")).toBe(true);
});
