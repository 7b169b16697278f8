import { describe, expect } from "bun:test";
import { stat } from "node:fs/promises";
import {
  call,
  expectProblem,
  publish as postPublish,
  publishLines,
  receiptOf,
  sendCommand,
} from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinRawWorker, OFFLINE, online } from "../../support/parties.ts";
import { numbered, padded, publish } from "../../support/publish.ts";
import { createRandom } from "../../support/random.ts";
import { testThatNeeds } from "../../support/skip.ts";
import { joinLive, joinStream, joinStreamWorker } from "../../support/streamclient.ts";
import type { StreamFrame } from "../../support/streamframe.ts";

// Issue 3: a disk that fills while the hub runs. A limit on the size of files stands for it: SQLite's writes fail then,
// as they do on a full disk.

const NO_LIMIT = Number.POSITIVE_INFINITY;

/** No file of the hub's may grow past this, until it is lifted. */
function limitFiles(hub: Hub, limitBytes: number): void {
  const limit = limitBytes === NO_LIMIT ? "unlimited" : limitBytes;
  const done = Bun.spawnSync(["prlimit", `--pid=${hub.pid}`, `--fsize=${limit}:unlimited`]);
  if (!done.success) throw new Error(done.stderr.toString());
}

async function isReady(hub: Hub): Promise<boolean> {
  const { status, body } = await call(hub, "/readyz");
  const { checks } = JSON.parse(body);
  expect([200, 503]).toContain(status);
  expect(checks.history.ok).toBe(status === 200);
  return status === 200;
}

/** Nothing is asked of the hub meanwhile but how it is. */
async function untilReady(hub: Hub): Promise<void> {
  const asking = async (): Promise<void> => {
    while (!(await isReady(hub))) await Bun.sleep(20);
  };
  await within(asking(), "recovery");
}

async function heldBy(hub: Hub, since: string): Promise<string[]> {
  await using client = await joinStream(hub, { since });
  expect(client.hello.resumed).toBe(true);
  return (await client.untilLive()).messages.map(({ data }) => data);
}

const messagesAmong = (frames: readonly StreamFrame[]): StreamFrame[] =>
  frames.filter(({ type }) => type === "message");

const diskTest = testThatNeeds("prlimit", Bun.which("prlimit") !== null);

describe("a disk that fills", () => {
  diskTest("refuses what cannot be kept, shows it to nobody, and recovers by itself", async () => {
    await using folder = await createFolder();
    const env = {
      HISTORY_FILE: folder.file("history.db"),
      WORKER_POLICY: "shared",
      HEARTBEAT_INTERVAL_MS: "300",
    };
    await using hub = await startHub({ env });
    await using client = await joinLive(hub);
    const start = client.hello.cursor;
    await using worker = await joinStreamWorker(hub);
    await using raw = await joinRawWorker(hub);
    const before = [online(), online(), ...numbered(3)];
    await publish(hub, numbered(3));
    expect(await isReady(hub)).toBe(true);

    limitFiles(hub, 1);
    const keyed = { "idempotency-key": "k" };
    expectProblem(await postPublish(hub, '{"n":3}', keyed), 503, "storage");
    expectProblem(await publishLines(hub, numbered(5, 3)), 503, "storage");
    expectProblem(await sendCommand(hub, '{"n":3}', { headers: keyed }), 503, "storage");
    worker.send('{"type":"publish","ref":"1","key":"w","data":{"n":3}}');
    expect(await worker.next()).toEqual({ type: "error", ref: "1", reason: expect.stringMatching(/./) });
    raw.text('{"n":"lost"}');
    expect(await raw.untilPong()).toEqual([]);
    await hub.waitForLog("the refusal", ({ level, scope }) => level === "error" && scope === "publish");
    expect(await isReady(hub)).toBe(false);
    expect((await call(hub, "/healthz")).status).toBe(200);
    // What is held can still be resumed from, and nobody has seen what was refused.
    expect(await heldBy(hub, start)).toEqual(before);
    expect(await client.texts(before.length)).toEqual(before);
    // It stays so, although nobody publishes and so nothing new fails.
    const pings = client.raw.pings();
    for (let beat = 1; beat <= 8; beat++) {
      await client.raw.waitForPings(pings + beat);
      expect(await isReady(hub)).toBe(false);
    }
    expect(messagesAmong(await client.untilPong())).toEqual([]);

    limitFiles(hub, NO_LIMIT);
    await untilReady(hub);
    // A refusal is not remembered under its key: the repeat is done, once.
    const { ids } = receiptOf(await postPublish(hub, '{"type":"DOC_UPDATE","n":3}', keyed));
    expect(receiptOf(await postPublish(hub, '{"type":"DOC_UPDATE","n":3}', keyed)).ids).toEqual(ids);
    worker.send('{"type":"publish","ref":"2","key":"w","data":{"type":"DOC_UPDATE","n":4}}');
    expect(await worker.next()).toMatchObject({ type: "ack", ref: "2" });
    raw.text(numbered(1, 5)[0] as string);
    expect(await client.texts(3)).toEqual(numbered(3, 3));
    expect(await heldBy(hub, start)).toEqual([...before, ...numbered(3, 3)]);
  });

  diskTest("says the worker's status once there is room again, without being asked", async () => {
    await using folder = await createFolder();
    await using hub = await startHub({ env: { HISTORY_FILE: folder.file("history.db") } });
    await using client = await joinLive(hub);
    const worker = await joinStreamWorker(hub);
    expect(await client.texts(1)).toEqual([online()]);
    limitFiles(hub, 1);
    await worker.leave();
    await using newcomer = await joinLive(hub);
    expect(newcomer.hello.worker.status).toBe("offline");
    expect(await client.untilPong()).toEqual([]);
    limitFiles(hub, NO_LIMIT);
    expect(await client.texts(1)).toEqual([OFFLINE]);
    expect(await newcomer.texts(1)).toEqual([OFFLINE]);
    expect(await heldBy(hub, "earliest")).toEqual([online(), OFFLINE]);
  });

  diskTest("at any place of any write leaves no hole, and nothing that was refused", async () => {
    await using folder = await createFolder();
    const file = folder.file("history.db");
    const random = createRandom(20_261_122);
    const accepted: { key: string; texts: string[]; ids: readonly string[] }[] = [];
    const refused: { key: string; texts: string[] }[] = [];
    {
      await using hub = await startHub({ env: { HISTORY_FILE: file } });
      await using client = await joinLive(hub);
      for (let round = 0; round < 200; round++) {
        const room = random.below(60_000);
        const [main, log] = [await stat(file), await stat(`${file}-wal`)];
        limitFiles(hub, random.pick([NO_LIMIT, 1, main.size + room, log.size + room]));
        const key = `k${round}`;
        const texts = padded(1 + random.below(10), 100 + random.below(10_000), round * 10);
        const answer = await publishLines(hub, texts, { "idempotency-key": key });
        if (answer.status === 503) {
          expectProblem(answer, 503, "storage");
          refused.push({ key, texts });
        } else {
          accepted.push({ key, texts, ids: receiptOf(answer).ids });
          expect(await client.texts(texts.length)).toEqual(texts);
        }
      }
      expect(messagesAmong(await client.untilPong())).toEqual([]);
      expect(await heldBy(hub, "earliest")).toEqual(accepted.flatMap(({ texts }) => texts));
      hub.kill("SIGKILL");
      await hub.exited;
    }
    // The limits did make both happen.
    expect(Math.min(refused.length, accepted.length)).toBeGreaterThan(20);

    await using hub = await startHub({ env: { HISTORY_FILE: file } });
    const texts = accepted.flatMap((batch) => batch.texts);
    expect(await heldBy(hub, "earliest")).toEqual(texts);
    for (const batch of accepted) {
      const answer = await publishLines(hub, batch.texts, { "idempotency-key": batch.key });
      expect(receiptOf(answer).ids).toEqual(batch.ids);
    }
    // What was refused was refused whole, its key included: now it is done.
    for (const batch of refused) {
      const answer = await publishLines(hub, batch.texts, { "idempotency-key": batch.key });
      expect(receiptOf(answer).ids).toHaveLength(batch.texts.length);
      texts.push(...batch.texts);
    }
    expect(await heldBy(hub, "earliest")).toEqual(texts);
  });

  diskTest(
    "does not keep the hub from ending in good order, and costs nothing that was accepted",
    async () => {
      await using folder = await createFolder();
      const env = { HISTORY_FILE: folder.file("history.db") };
      {
        await using hub = await startHub({ env });
        await using client = await joinLive(hub);
        await publish(hub, padded(100, 1_000));
        await client.messages(100);
        limitFiles(hub, 1);
        expectProblem(await postPublish(hub, '{"n":1}'), 503, "storage");
        hub.kill("SIGTERM");
        expect((await client.untilClose()).code).toBe(1001);
        expect(await within(hub.exited, "exit")).toBe(0);
        // One line may say so; a stack trace may not.
        for (const { level, scope } of hub.logs()) expect([level, scope]).not.toEqual(["error", "http"]);
      }
      await using hub = await startHub({ env });
      expect(await heldBy(hub, "earliest")).toEqual(padded(100, 1_000));
    },
  );
});
