import { describe, expect, test } from "bun:test";
import { acceptedOf, call, sendCommand, untilStatus } from "../../support/api.ts";
import { OPCODE } from "../../support/frame.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient, joinRawWorker, joinWorker, OFFLINE, online, register } from "../../support/parties.ts";
import { joinStreamWorker } from "../../support/streamclient.ts";

// GET /api/v1/worker (PROTOCOL.md section 4): who works at the moment.

const PATH = "/api/v1/worker";

interface WorkerState {
  readonly status: string;
  readonly metadata: unknown;
  readonly conn_id: string | null;
  readonly connected_at: string | null;
  readonly last_seen: string | null;
  readonly queued: number;
}

const NOBODY = {
  status: "offline",
  metadata: null,
  conn_id: null,
  connected_at: null,
  last_seen: null,
  queued: 0,
};

async function ask(hub: Hub): Promise<WorkerState> {
  const answer = await call(hub, PATH);
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const state: WorkerState = JSON.parse(answer.body);
  expect(Object.keys(state)).toEqual(Object.keys(NOBODY));
  return state;
}

/** RFC 3339 in UTC. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

test("says that nobody works, to anybody who asks", async () => {
  await using hub = await startHub();
  expect(await ask(hub)).toEqual(NOBODY);
});

test("says who works and since when; the id is the one in the log", async () => {
  await using hub = await startHub();
  const before = Date.now();
  await using _worker = await joinWorker(hub);
  const { conn_id } = await hub.waitForLog("the worker", ({ msg }) => msg === "Secure Worker Connected");
  const state = await ask(hub);
  expect(state).toEqual({
    ...NOBODY,
    status: "online",
    metadata: {},
    conn_id: String(conn_id),
    connected_at: expect.stringMatching(TIME),
    last_seen: expect.stringMatching(TIME),
  });
  expect(state.conn_id).toMatch(/^[0-9a-f]{8}$/);
  const connectedAt = Date.parse(state.connected_at ?? "");
  // The same clock on one machine, give or take what rounding takes.
  expect(connectedAt).toBeGreaterThanOrEqual(before - 2);
  expect(connectedAt).toBeLessThanOrEqual(Date.now() + 2);
  expect(Date.parse(state.last_seen ?? "")).toBeGreaterThanOrEqual(connectedAt - 2);
});

test("last_seen moves with whatever comes from the worker, connected_at does not", async () => {
  await using hub = await startHub();
  await using worker = await joinRawWorker(hub, { pings: "ignore" });
  const first = await ask(hub);
  let seen = first;
  const signs = [
    () => worker.frame({ opcode: OPCODE.pong, payload: "" }),
    () => worker.frame({ opcode: OPCODE.ping, payload: "" }),
    () => worker.text("ping"),
    () => worker.text("no JSON"),
  ];
  for (const sign of signs) {
    const before: string = seen.last_seen ?? "";
    while ((seen.last_seen ?? "") <= before) {
      sign();
      seen = await ask(hub);
    }
  }
  expect({ ...seen, last_seen: "" }).toEqual({ ...first, last_seen: "" });
});

test("has the metadata as the worker wrote it", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  const metadata = '{ "gpus": 9223372036854775807, "load":1.0, "load":2e0, "s":"\\u00e9" }';
  worker.send(`{"type":"REGISTER_WORKER","metadata":${metadata}}`);
  await worker.untilPong();
  expect((await call(hub, PATH)).body).toContain(`"metadata":${metadata},`);
});

test("is that of the newest worker, and says so when it has gone", async () => {
  await using hub = await startHub({ env: { WORKER_POLICY: "shared" } });
  await using client = await joinClient(hub);
  await using older = await joinWorker(hub);
  older.send(register({ name: "older" }));
  await older.untilPong();
  const first = await ask(hub);
  const newer = await joinStreamWorker(hub);
  newer.send({ type: "register", metadata: { name: "newer" } });
  await newer.untilPong();
  const second = await ask(hub);
  expect([first.metadata, second.metadata]).toEqual([{ name: "older" }, { name: "newer" }]);
  expect(second.conn_id).not.toBe(first.conn_id);

  await newer.leave();
  while ((await ask(hub)).conn_id === second.conn_id);
  expect(await ask(hub)).toMatchObject({ conn_id: first.conn_id, metadata: { name: "older" } });
  await older.close();
  while ((await client.next()) !== OFFLINE);
  expect(await ask(hub)).toEqual(NOBODY);
});

test("while the grace runs the worker is online, and nobody is there", async () => {
  await using hub = await startHub({ env: { WORKER_OFFLINE_GRACE_MS: "600000" } });
  const worker = await joinWorker(hub);
  worker.send(register({ name: "w" }));
  await worker.untilPong();
  await worker.close();
  // Wherever it is asked for: its end may still be on the way there.
  while ((await ask(hub)).conn_id !== null);
  expect(await ask(hub)).toEqual({ ...NOBODY, status: "online", metadata: { name: "w" } });
});

describe("queued", () => {
  test("counts what waits for a worker or its acknowledgement", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "3600000" } });
    const ids: string[] = [];
    for (let n = 1; n <= 3; n++) {
      ids.push(acceptedOf(await sendCommand(hub, `{"n":${n}}`)).id);
      expect((await ask(hub)).queued).toBe(n);
    }
    await using worker = await joinRawWorker(hub, { pings: "ignore" });
    expect((await ask(hub)).queued).toBe(3);
    worker.frame({ opcode: OPCODE.pong, payload: ids[1] ?? "" });
    await worker.untilPong();
    expect((await ask(hub)).queued).toBe(1);
    worker.frame({ opcode: OPCODE.pong, payload: ids[2] ?? "" });
    await worker.untilPong();
    expect((await ask(hub)).queued).toBe(0);
  });

  test("does not count what has expired", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "100" } });
    const { id } = acceptedOf(await sendCommand(hub, "{}"));
    await untilStatus(hub, id, "expired");
    expect((await ask(hub)).queued).toBe(0);
  });
});

test("HEAD answers without a body", async () => {
  await using hub = await startHub();
  await using _worker = await joinWorker(hub);
  const answer = await call(hub, PATH, { method: "HEAD" });
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: "" });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
});

test("is the same as what every client is told", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  worker.send(register({ hostname: "gpu-01", gpus: 2 }));
  await worker.untilPong();
  await using _client = await joinClient(hub, online({ hostname: "gpu-01", gpus: 2 }));
  expect(await ask(hub)).toMatchObject({ status: "online", metadata: { hostname: "gpu-01", gpus: 2 } });
});
