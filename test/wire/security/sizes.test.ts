import { expect, test } from "bun:test";
import { call, expectProblem } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinClient, OFFLINE } from "../../support/parties.ts";
import { joinSse } from "../../support/sse-stream.ts";
import { connectTcp } from "../../support/tcp.ts";
import { askWorker, enter, knock, knockSse } from "../../support/visitor.ts";

// Requests that are larger than any that is meant, in each of their parts.

/** Sends bytes, whole or as far as they are taken, and returns the status line of the answer. */
async function statusLine(hub: Hub, bytes: string): Promise<string> {
  const tcp = await connectTcp(hub.url);
  const answered = Promise.withResolvers<string>();
  tcp.receive((chunk) => answered.resolve(Buffer.from(chunk).toString("latin1").split("\r\n")[0] ?? ""));
  void tcp.closed.then(() => answered.resolve("closed"));
  tcp.write(bytes);
  try {
    return await within(answered.promise, "an answer");
  } finally {
    tcp.reset();
  }
}

const UPGRADE =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const sizes = [20_000, 200_000, 5_000_000];
const OVERSIZED: Record<string, (size: number) => string> = {
  "a query": (size) => `GET /ws?${"a".repeat(size)} HTTP/1.1\r\nHost: hub\r\n${UPGRADE}\r\n`,
  "a path": (size) => `GET /${"a".repeat(size)} HTTP/1.1\r\nHost: hub\r\n\r\n`,
  "a header's value": (size) =>
    `GET /ws HTTP/1.1\r\nHost: hub\r\n${UPGRADE}cookie: ${"a".repeat(size)}\r\n\r\n`,
  "a header's name": (size) => `GET /ws HTTP/1.1\r\nHost: hub\r\n${UPGRADE}${"a".repeat(size)}: b\r\n\r\n`,
  "a number of headers": (size) =>
    `GET /ws HTTP/1.1\r\nHost: hub\r\n${UPGRADE}${"x-a: b\r\n".repeat(size / 8)}\r\n`,
  "a Host": (size) => `GET /ws HTTP/1.1\r\nHost: ${"a".repeat(size)}\r\n${UPGRADE}\r\n`,
  "an origin": (size) =>
    `GET /ws HTTP/1.1\r\nHost: hub\r\n${UPGRADE}Origin: https://${"a".repeat(size)}\r\n\r\n`,
  "a subprotocol": (size) =>
    `GET /ws HTTP/1.1\r\nHost: hub\r\n${UPGRADE}Sec-WebSocket-Protocol: ${"a,".repeat(size / 2)}b\r\n\r\n`,
  "a head without end": (size) => `GET /ws HTTP/1.1\r\nHost: hub\r\n${"x: y\r\n".repeat(size / 6)}`,
};

test.each(Object.keys(OVERSIZED))(
  "%s beyond every limit is refused, and costs nobody anything",
  async (name) => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    await using client = await joinClient(hub);
    for (const size of sizes) {
      const line = await statusLine(hub, OVERSIZED[name]?.(size) ?? "");
      expect([size, line]).toEqual([size, expect.stringMatching(/^(HTTP\/1\.1 (400|414|431) .*|closed)$/)]);
    }
    expect(await client.untilPong()).toEqual([]);
    expect((await call(hub, "/healthz")).status).toBe(200);
    for (const line of hub.output().split("\n")) expect(line.length).toBeLessThan(2_000);
  },
);

test("what is just small enough to be read is treated like any other", async () => {
  await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
  const long = "a".repeat(12_000);
  expectProblem(await knock(hub, { query: `types=${long}` }), 400, "bad_types");
  expectProblem(await knockSse(hub, { query: `types=${"A,".repeat(6_000)}A` }), 400, "bad_types");
  expect((await knock(hub, { query: `token=${long}` })).status).toBe(101);
  expect(
    (await knock(hub, { headers: { cookie: long, "x-forwarded-for": "1,".repeat(1_000) } })).status,
  ).toBe(101);
  expect((await askWorker(hub, { headers: { authorization: `Bearer ${long}` } })).status).toBe(200);
  await using worker = await enter(hub, { query: `client_type=worker&token=${long}` });
  expect((await worker.nextClose()).code).toBe(1008);
  await using unknown = await enter(hub, { query: `client_type=${long}` });
  expect((await unknown.nextClose()).code).toBe(1008);
  await using stream = await joinSse(hub, { since: long });
  expect(stream.hello).toMatchObject({ resumed: false, reason: "unknown" });
  const named = { "x-worker-secret": SECRET, "idempotency-key": long, "content-type": "application/json" };
  const refused = await call(hub, "/api/v1/publish", { method: "POST", headers: named, body: "{}" });
  expectProblem(refused, 400, "bad_key");
  // No line of the log shows more of a value than its beginning.
  expect(hub.output()).not.toContain("a".repeat(300));
  await using client = await enter(hub);
  expect(await client.nextText()).toBe(OFFLINE);
});
