import { describe, expect, test } from "bun:test";
import { call, expectProblem } from "../../support/api.ts";
import { startAuthEndpoint, status } from "../../support/auth-endpoint.ts";
import { within } from "../../support/deadline.ts";
import { OPCODE } from "../../support/frame.ts";
import type { RawResponse } from "../../support/http.ts";
import { rawRequest } from "../../support/http.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinRawWorker, OFFLINE, online } from "../../support/parties.ts";
import { handshake } from "../../support/rawsocket.ts";
import { refusals } from "../../support/scrape.ts";
import { openSse } from "../../support/sse-stream.ts";
import {
  askWorker,
  enter,
  enterStream,
  knock,
  knockFrom,
  knockSse,
  untilEntered,
  untilStatus,
} from "../../support/visitor.ts";

// MAX_CONNECTIONS and MAX_CONNECTIONS_PER_ADDRESS (PROTOCOL.md section 1): how many clients there is room for.

function expectFull(answer: RawResponse, code: "capacity" | "address_capacity"): void {
  expectProblem(answer, 503, code);
  expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
}

describe("MAX_CONNECTIONS", () => {
  test("so many clients enter, of every kind; the next is told to come back", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS: "3" } });
    await using raw = await enter(hub);
    await using stream = await enterStream(hub);
    await using _sse = await openSse(hub);
    expectFull(await knock(hub), "capacity");
    expectFull(await knockSse(hub), "capacity");
    await using refused = await enterStream(hub);
    expect(await refused.nextClose()).toEqual({ code: 1013, reason: expect.stringMatching(/./) });
    expect(await refusals(hub, "capacity")).toBe(3);

    // Those who are in do not notice.
    expect(await raw.nextText()).toBe(OFFLINE);
    expect(JSON.parse(await stream.nextText())).toMatchObject({ type: "hello" });
    expect((await askWorker(hub)).status).toBe(200);
  });

  test("a worker needs no place, and takes none", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS: "1" } });
    await using client = await enter(hub);
    expect(await client.nextText()).toBe(OFFLINE);
    await using worker = await joinRawWorker(hub);
    expect(await client.nextText()).toBe(online());
    client.close(1000);
    await client.nextClose();
    await untilStatus("a free place", 101, () => knock(hub));
    expect(await worker.untilPong()).toEqual([]);
  });

  test("0 is no limit", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS: "0" } });
    await using clients = new AsyncDisposableStack();
    for (let count = 0; count < 50; count += 1) clients.use(await enter(hub));
    expect(await refusals(hub, "capacity")).toBe(0);
  });
});

describe("a place is free again", () => {
  const start = (env = {}): Promise<Hub> => startHub({ env: { MAX_CONNECTIONS: "1", ...env } });
  const untilFree = async (hub: Hub): Promise<void> => {
    await untilStatus("a free place", 101, () => knock(hub));
    await untilStatus("a free place", 200, () => knockSse(hub));
  };

  /** Each takes the one place, as soon as it is free, and gives it up. */
  const endings: Record<string, (hub: Hub) => Promise<void>> = {
    "after a close": async (hub) => {
      await using client = await untilEntered(() => enter(hub));
      await client.nextText();
      client.close(1000);
      await client.nextClose();
    },
    "after a reset": async (hub) => {
      await using client = await untilEntered(() => enter(hub));
      client.tcp.reset();
    },
    "after a close by the hub": async (hub) => {
      await using client = await untilEntered(() => enter(hub));
      await client.nextText();
      client.frame({ opcode: OPCODE.binary, payload: "x" });
      expect((await client.nextClose()).code).toBe(1003);
    },
    "after a protocol error": async (hub) => {
      await using client = await untilEntered(() => enter(hub));
      client.frame({ opcode: OPCODE.text, payload: "x", mask: false });
      await within(client.tcp.closed, "the end of the connection");
    },
    "after an event stream": async (hub) => {
      await using stream = await untilEntered(() => openSse(hub));
      await stream.next();
    },
    "after a HEAD of the event stream": (hub) =>
      untilStatus("a HEAD", 200, () => call(hub, "/api/v1/events", { method: "HEAD" })),
    "after a handshake that is none": (hub) =>
      untilStatus("a refusal", 400, () =>
        rawRequest(hub.url, handshake(hub.wsUrl(), { "sec-websocket-key": "!" })),
      ),
    "after a malformed filter": (hub) =>
      untilStatus("a refusal", 400, () => knockSse(hub, { query: "types=," })),
  };
  test.each(Object.keys(endings))("%s, every time", async (name) => {
    await using hub = await start();
    for (let round = 0; round < 5; round += 1) {
      await endings[name]?.(hub);
      await untilFree(hub);
    }
    await using _client = await untilEntered(() => enter(hub));
    expectFull(await knock(hub), "capacity");
  });

  test("after a client whom the authentication service refuses, in the very next moment", async () => {
    await using endpoint = startAuthEndpoint();
    await using hub = await start({ CLIENT_AUTH_URL: endpoint.url });
    for (const [code, answered] of [
      [403, 403],
      [500, 503],
    ] as const) {
      endpoint.reply = status(code);
      for (let round = 0; round < 3; round += 1) {
        expect((await knock(hub)).status).toBe(answered);
        expect((await knockSse(hub)).status).toBe(answered);
        await using stream = await enterStream(hub);
        await stream.nextClose();
      }
    }
    endpoint.reply = status(204);
    expect((await knock(hub)).status).toBe(101);
  });
});

describe("MAX_CONNECTIONS_PER_ADDRESS", () => {
  test("so many clients enter from an address, whatever others do; the next is told to come back", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS_PER_ADDRESS: "2" } });
    await using _raw = await enter(hub);
    await using _sse = await openSse(hub);
    expectFull(await knock(hub), "address_capacity");
    expectFull(await knockSse(hub), "address_capacity");
    await using refused = await enterStream(hub);
    expect((await refused.nextClose()).code).toBe(1013);
    expect(await refusals(hub, "address_capacity")).toBe(3);
    for (const address of ["127.0.0.2", "127.0.0.3"]) {
      expect((await knockFrom(address, hub)).status).toBe(101);
    }
    await using _worker = await joinRawWorker(hub);
  });

  test("an address gets its place back, too", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS_PER_ADDRESS: "1" } });
    for (let round = 0; round < 5; round += 1) {
      await untilStatus("a free place", 101, () => knock(hub));
      await untilStatus("a free place", 200, () => knockSse(hub));
      await untilStatus("a free place", 101, () => knockFrom("127.0.0.2", hub));
    }
  });

  test("an IPv6 /64 is one address, and each IPv4 address one of its own", async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS_PER_ADDRESS: "1", TRUST_PROXY: "1" } });
    const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
    await using _six = await enter(hub, from("2001:db8:1:2::1"));
    expectFull(await knock(hub, from("2001:db8:1:2:ffff::9")), "address_capacity");
    expect((await knock(hub, from("2001:db8:1:3::1"))).status).toBe(101);
    await using _four = await enter(hub, from("192.0.2.1"));
    expectFull(await knock(hub, from("::ffff:192.0.2.1")), "address_capacity");
    expect((await knock(hub, from("192.0.2.2"))).status).toBe(101);
  });
});

test("a worker with a wrong secret, or a client of an unknown type, takes no place", async () => {
  await using hub = await startHub({ env: { MAX_CONNECTIONS: "1" } });
  await using wrong = await enter(hub, { query: "client_type=worker&token=wrong" });
  await using unknown = await enter(hub, { query: "client_type=admin" });
  expect((await wrong.nextClose()).code).toBe(1008);
  expect((await unknown.nextClose()).code).toBe(1008);
  expect((await knock(hub)).status).toBe(101);
  expect((await knock(hub, { query: `client_type=worker&token=${SECRET}` })).status).toBe(101);
});
