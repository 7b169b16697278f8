import { expect, test } from "bun:test";
import { call, JSON_BODY } from "../../support/api.ts";
import { type HttpConnection, openConnection } from "../../support/connection.ts";
import type { RequestHead } from "../../support/http.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { HAS_PROC, residentBytes } from "../../support/process.ts";
import { handshake } from "../../support/rawsocket.ts";
import { refusals } from "../../support/scrape.ts";
import { testThatNeeds } from "../../support/skip.ts";
import { knockFrom, requestFrom } from "../../support/visitor.ts";

// Ten thousand guesses at the secret: limited, bounded, and no hindrance to those who know it.

const GUESSES = 10_000;
/** Under way at once on a connection. */
const BATCH = 250;
/** WRONG_SECRETS_PER_MINUTE, as it is by default. */
const LIMIT = 100;

/** Sends guesses on one connection as fast as they are answered. @returns how often each status came */
async function guess(
  connection: HttpConnection,
  count: number,
  guessed: (n: number) => RequestHead,
): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  for (let sent = 0; sent < count; sent += BATCH) {
    for (let n = sent; n < sent + BATCH; n += 1) connection.send(guessed(n));
    for (let n = sent; n < sent + BATCH; n += 1) {
      const { status } = await connection.answer();
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  }
  return statuses;
}

/** Almost the secret: each differs from it in its last characters. */
function near(n: number): string {
  return `${SECRET.slice(0, -5)}${String(n).padStart(5, "x")}`;
}

const WAYS: Record<string, (hub: Hub, n: number) => RequestHead> = {
  "as a backend, in the header": (_, n) => ({
    path: "/api/v1/stats",
    headers: [["x-worker-secret", near(n)]],
  }),
  "as a backend, as a bearer token": (_, n) => ({
    path: "/api/v1/stats",
    headers: [["authorization", `Bearer ${near(n)}`]],
  }),
  "with another X-Forwarded-For each time, which no proxy wrote": (_, n) => ({
    path: "/api/v1/stats",
    headers: [
      ["x-worker-secret", near(n)],
      ["x-forwarded-for", `192.0.${n >> 8}.${n & 0xff}`],
    ],
  }),
};

test.each(Object.keys(WAYS))(
  "%s: answered a hundred times, then 429; the secret itself always enters",
  async (name) => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using connection = await openConnection(hub);
    const way = WAYS[name] as (typeof WAYS)[string];
    expect(await guess(connection, GUESSES, (n) => way(hub, n))).toEqual({
      401: LIMIT,
      429: GUESSES - LIMIT,
    });
    expect(await refusals(hub, "too_many_failures")).toBe(GUESSES - LIMIT);

    await using _worker = await joinWorker(hub);
    expect(await client.next()).toBe(online());
    const right = { "x-worker-secret": SECRET };
    expect(
      (await call(hub, "/api/v1/publish", { method: "POST", headers: JSON_BODY, body: "{}" })).status,
    ).toBe(202);
    expect(await client.next()).toBe("{}");
    const stats = { path: "/api/v1/stats", headers: Object.entries(right) };
    expect((await requestFrom("127.0.0.2", hub.url, stats)).status).toBe(200);
    const again = { query: "client_type=worker", headers: right };
    expect((await knockFrom("127.0.0.2", hub, again)).status).toBe(101);

    // One line for each that was answered, one for the limit: the rest does not fill the log.
    expect(hub.logs().filter(({ event }) => event === "SECURITY")).toHaveLength(LIMIT + 1);
  },
);

test("as a worker: upgraded and closed a hundred times, then 429", async () => {
  await using hub = await startHub();
  const head = (n: number): RequestHead => handshake(hub.wsUrl(`client_type=worker&token=${near(n)}`));
  const upgraded: number[] = [];
  for (let n = 0; n < LIMIT; n += 1) {
    const { status } = await requestFrom("127.0.0.1", hub.url, head(n));
    upgraded.push(status);
  }
  expect(new Set(upgraded)).toEqual(new Set([101]));
  // From here on it is an answer like any other, and the connection goes on.
  await using connection = await openConnection(hub);
  expect(await guess(connection, GUESSES, head)).toEqual({ 429: GUESSES });
  await using _worker = await joinWorker(hub);
  expect(hub.logs().filter(({ event }) => event === "SECURITY")).toHaveLength(LIMIT + 1);
});

testThatNeeds("/proc", HAS_PROC)(
  "from ever new addresses: nothing grows without end, and the secret enters",
  async () => {
    await using hub = await startHub({ env: { TRUST_PROXY: "1" } });
    await using connection = await openConnection(hub);
    let address = 0;
    const fromAnother = (): RequestHead => {
      address += 1;
      const forwarded = `2001:db8:${(address >> 16).toString(16)}:${(address & 0xffff).toString(16)}::1`;
      const headers = [
        ["x-worker-secret", near(address)],
        ["x-forwarded-for", forwarded],
      ] as const;
      return { path: "/api/v1/stats", headers };
    };
    // The table is full once ten thousand addresses are counted.
    expect(await guess(connection, GUESSES, fromAnother)).toEqual({ 401: GUESSES });
    const before = residentBytes(hub.pid);
    expect(await guess(connection, 2 * GUESSES, fromAnother)).toEqual({ 401: 2 * GUESSES });
    // How many rows there are is a unit test's to count; this is for whatever else might grow with each request.
    expect(residentBytes(hub.pid) - before).toBeLessThan(64 * 1_048_576);
    await using _worker = await joinWorker(hub);
  },
);
