import { expect, setDefaultTimeout, test } from "bun:test";
import { type Command, connectWorker, type Worker, type WorkerOptions } from "../../../src/client/index.ts";
import { sendCommand, untilStatus } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { SECRET, startHub } from "../../support/hub.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { createProxy, type Faults } from "../../support/proxy.ts";
import { IMPATIENT, subscribe } from "./subscriber.ts";

// The worker half of the client library, whose connections are cut at every byte, in either direction: what it publishes
// appears exactly once and in order, under the cursors that it was told, and every command is done once.

setDefaultTimeout(60_000);

const BYTES = 700;

const numbered = (n: number): string => `{"type":"DOC_PROGRESS","n":${n}}`;
const startWorker = (url: string, options: Partial<WorkerOptions> = {}): Worker =>
  connectWorker(url, { secret: SECRET, metadata: { hostname: "gpu-01" }, backoff: IMPATIENT, ...options });

async function sweep(fault: (bytes: number) => Faults): Promise<void> {
  await using hub = await startHub();
  await using proxy = createProxy(hub.url);
  proxy.plan((connection) => (connection < BYTES ? fault(connection + 1) : {}));
  using observer = subscribe(hub.url, { since: "earliest" });
  const worker = startWorker(proxy.url);
  const acknowledged: Promise<string>[] = [];
  while (proxy.acceptedAtMs.length <= BYTES) {
    for (let count = 0; count < 3; count += 1)
      acknowledged.push(worker.publish(numbered(acknowledged.length)));
    // The next ones when these are through, or when a connection is over that was too short for them.
    const seen = proxy.acceptedAtMs.length;
    const isOver = async (): Promise<void> => {
      while (proxy.acceptedAtMs.length === seen && worker.outbox.messages > 0) await Bun.sleep(1);
    };
    await within(isOver(), "the acknowledgements, or the next connection");
  }
  const ids = await within(Promise.all(acknowledged), "the acknowledgements");
  await observer.until(numbered(ids.length - 1));
  await worker.close();
  expect(observer.texts).toEqual(ids.map((_, n) => numbered(n)));
  expect(new Set(ids).size).toBe(ids.length);
}

for (const cutBy of ["reset", "end"] as const) {
  test(`cut (${cutBy}) after 1, 2, 3, … bytes from the worker`, () =>
    sweep((cutUpBytes) => ({ cutUpBytes, cutBy })));
  test(`cut (${cutBy}) after 1, 2, 3, … bytes to the worker`, () =>
    sweep((cutDownBytes) => ({ cutDownBytes, cutBy })));
}

test("commands are done once each, and acknowledged, over cuts at every byte", async () => {
  await using hub = await startHub();
  await using proxy = createProxy(hub.url);
  // Far enough for the handshake, then one byte more each time.
  proxy.plan((connection) => (connection < 300 ? { cutDownBytes: 200 + connection } : {}));
  const done: unknown[] = [];
  const onCommand = async ({ data }: Command): Promise<void> => {
    await Bun.sleep(1);
    done.push(data["n"]);
  };
  const ids: string[] = [];
  for (let n = 0; n < 20; n += 1) {
    const answer = await sendCommand(hub, `{"type":"TRIGGER_DOC_SYNC","n":${n}}`);
    ids.push(JSON.parse(answer.body).id);
  }
  const worker = startWorker(proxy.url, { onCommand });
  for (const id of ids) await untilStatus(hub, id, "acknowledged");
  await worker.close();
  expect(done).toEqual(ids.map((_, n) => n));
});

test("a hub that is killed and started again with a history file loses and doubles nothing", async () => {
  await using folder = await createFolder();
  await using hub = createMortalHub({ HISTORY_FILE: folder.file("history.db") });
  hub.start();
  await within(hub.up(), "the hub");
  using observer = subscribe(hub.url, { since: "earliest" });
  const worker = startWorker(hub.url);
  const acknowledged: Promise<string>[] = [];
  for (let round = 0; round < 4; round += 1) {
    for (let count = 0; count < 300; count += 1)
      acknowledged.push(worker.publish(numbered(acknowledged.length)));
    // In the midst of it: when some of these are through.
    await acknowledged.at(-200);
    await hub.kill();
    hub.start();
    await within(hub.up(), "the hub, again");
  }
  const ids = await within(Promise.all(acknowledged), "the acknowledgements");
  await observer.until(numbered(ids.length - 1));
  await worker.close();
  expect(observer.resets).toEqual([]);
  expect(observer.texts).toEqual(ids.map((_, n) => numbered(n)));
});
