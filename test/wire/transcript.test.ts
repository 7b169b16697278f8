import { expect } from "bun:test";
import { startHub } from "../support/hub.ts";
import { OFFLINE, online } from "../support/parties.ts";
import { testThatNeeds } from "../support/skip.ts";
import {
  HAS_VECTRA_WORKER,
  startVectraWorker,
  VECTRA_WORKER_NEEDS,
  type VectraWorker,
} from "../support/vectra.ts";
import { openClient } from "../support/wsclient.ts";

// The hub's main job, with the two parties it exists for: everything either of them sees, in order, byte for byte.

const pythonTest = testThatNeeds(VECTRA_WORKER_NEEDS, HAS_VECTRA_WORKER);

const NAMED = online('{"hostname": "gpu-01", "version": "1.4.2", "os": "Linux"}');

/** What the worker publishes, as Python's json.dumps writes it. */
const PUBLISHED = [
  '{"type": "CONNECTOR_STATUS", "id": "3f0c1c2e-8a50-4b64-9d6e-0b1b7b0c8f11", "status": "vectorizing"}',
  '{"type": "DOC_PROGRESS", "doc_id": "b7a1", "processed": 1, "total": 9007199254740993}',
  '{"type": "DOC_PROGRESS", "doc_id": "b7a1", "processed": 2, "total": 9007199254740993}',
  '{"type": "DOC_UPDATE", "id": "b7a1", "status": "failed", "details": "Sch\\u00e9ma: \\u00ab caf\\u00e9 \\u00bb", "processing_duration_ms": 12.0}',
  '{"type": "CONNECTOR_STATUS", "id": "3f0c1c2e-8a50-4b64-9d6e-0b1b7b0c8f11", "status": "idle"}',
];

/** Everything that the worker prints, to its end. */
async function wholeStory(worker: VectraWorker): Promise<object[]> {
  const lines: object[] = [];
  while (true) {
    const line = await worker.next();
    lines.push(line);
    if ("closed" in line) return lines;
  }
}

pythonTest("Vectra's worker and Vectra's dashboard, from the first frame to the last", async () => {
  await using hub = await startHub();
  const url = hub.wsUrl("", "/api/v1/ws");
  await using dashboard = await openClient(url, { sendOnOpen: "get_worker_status" });
  const seen = [await dashboard.next(), await dashboard.next()];

  await using worker = startVectraWorker(hub, ["--pings", "3"]);
  for (const message of PUBLISHED) worker.publish(message);
  worker.finish();

  expect(await wholeStory(worker)).toEqual([
    { frame: online() },
    { frame: "pong" },
    { frame: "pong" },
    { frame: "pong" },
    { closed: 1000, reason: "" },
  ]);
  expect(await worker.exited).toBe(0);

  for (let next = ""; next !== OFFLINE; seen.push(next)) next = await dashboard.next();
  seen.push(...(await dashboard.untilPong()));
  expect(seen).toEqual([OFFLINE, OFFLINE, online(), NAMED, ...PUBLISHED, OFFLINE]);
  expect(await hub.stop()).toBe(0);
});

pythonTest(
  "a dashboard that comes while the worker is busy learns who it is, then hears what follows",
  async () => {
    await using hub = await startHub();
    await using early = await openClient(hub.wsUrl());
    await using worker = startVectraWorker(hub);
    while ((await early.next()) !== NAMED);

    await using late = await openClient(hub.wsUrl(), { sendOnOpen: "get_worker_status" });
    const seen = [await late.next(), await late.next()];
    worker.publish('{"type": "DOC_PROGRESS", "doc_id": "b7a1", "processed": 7, "total": 9}');
    seen.push(await late.next());

    expect(seen).toEqual([
      NAMED,
      NAMED,
      '{"type": "DOC_PROGRESS", "doc_id": "b7a1", "processed": 7, "total": 9}',
    ]);
  },
);

pythonTest("a NaN that Python let through is dropped with a warning, and the worker goes on", async () => {
  await using hub = await startHub();
  await using dashboard = await openClient(hub.wsUrl());
  await using worker = startVectraWorker(hub);
  worker.publish('{"type": "CONNECTOR_PROGRESS", "percent": NaN}');
  worker.publish('{"type": "CONNECTOR_PROGRESS", "percent": 12.5}');
  worker.finish();

  const seen: string[] = [];
  for (let next = ""; next !== NAMED; ) next = await dashboard.next();
  for (let next = ""; next !== OFFLINE; seen.push(next)) next = await dashboard.next();
  expect(seen).toEqual(['{"type": "CONNECTOR_PROGRESS", "percent": 12.5}', OFFLINE]);
  await hub.waitForLog("a warning about NaN", (line) => line.level === "warning");
});

pythonTest(
  "a worker that hangs is offline; when it wakes, its connection is gone and nothing of it gets through",
  async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "200", WORKER_TIMEOUT_MS: "800" } });
    await using dashboard = await openClient(hub.wsUrl());
    await using worker = startVectraWorker(hub, ["--pings", "1"]);
    while ((await dashboard.next()) !== NAMED);

    worker.kill("SIGSTOP");
    expect(await dashboard.next()).toBe(OFFLINE);
    worker.publish('{"type": "DOC_UPDATE", "id": "late"}');
    worker.kill("SIGCONT");

    const story = await wholeStory(worker);
    expect(story.at(-1)).toMatchObject({ closed: 1006 });
    expect(await dashboard.untilPong()).toEqual([]);
  },
);
