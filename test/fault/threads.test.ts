import { expect, test } from "bun:test";
import { join } from "node:path";
import { publishOne } from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { growth } from "../support/exposition.ts";
import { SECRET, startHub } from "../support/hub.ts";
import { joinClient, online } from "../support/parties.ts";
import { joinLive, type StreamClient } from "../support/streamclient.ts";
import { openClient, type WsClient } from "../support/wsclient.ts";

// A thread that fails takes its own connections with it, and no others; it is started anew, and counted.

const THREADS = 3;
/** So many that each thread has some: the kernel chooses. */
const CLIENTS = 45;
const WORKERS = 30;

const CRASHING = [process.execPath, join(import.meta.dir, "threads/main.ts")];

/** Those whose connection is over after a word from the hub was due to all. */
async function partition<T>(all: readonly T[], isLeft: (one: T) => Promise<boolean>): Promise<[T[], T[]]> {
  const left = await Promise.all(all.map(isLeft));
  return [all.filter((_, at) => left[at]), all.filter((_, at) => !left[at])];
}

test("the connections of the others notice nothing, and its own come back and have missed nothing", async () => {
  await using hub = await startHub({
    command: CRASHING,
    env: { THREADS: String(THREADS), WORKER_POLICY: "shared" },
  });
  await using all = new AsyncDisposableStack();
  const clients: StreamClient[] = [];
  for (let n = 0; n < CLIENTS; n++) clients.push(all.use(await joinLive(hub)));
  await publishOne(hub, '{"n":1}');
  for (const client of clients) expect(await client.texts(1)).toEqual(['{"n":1}']);

  const grown = await growth(hub, async () => {
    hub.kill("SIGUSR2");
    const { why } = await hub.waitForLog("the thread's end", ({ msg }) => msg.startsWith("Thread ended"));
    expect(why).toContain("crash on demand");
    await publishOne(hub, '{"n":2}');
    const [left, lost] = await partition(clients, async (client) => {
      try {
        expect(await client.texts(1)).toEqual(['{"n":2}']);
        return true;
      } catch {
        return false;
      }
    });
    expect(left.length).toBeGreaterThan(0);
    expect(lost.length).toBeGreaterThan(0);
    for (const client of lost) {
      await using again = await joinLive(hub, { since: client.cursor() });
      expect(again.hello).toMatchObject({ resumed: true, cursor: client.cursor() });
    }
    await hub.waitForLog("the thread's new start", ({ msg }) => msg === "Thread started anew");
    // Whoever is left is still one stream with whoever comes.
    const late = all.use(await joinLive(hub));
    await publishOne(hub, '{"n":3}');
    for (const client of [...left, late]) expect(await client.texts(1)).toEqual(['{"n":3}']);
  });
  expect(grown).toMatchObject({ thread_restarts_total: 1 });
  expect(await hub.stop()).toBe(0);
});

test("its workers are not registered any more, and the status is that of those who are left", async () => {
  await using hub = await startHub({
    command: CRASHING,
    env: { THREADS: String(THREADS), WORKER_POLICY: "shared" },
  });
  await using all = new AsyncDisposableStack();
  const join = async (): Promise<WsClient> => {
    const headers = { "x-worker-secret": SECRET };
    return all.use(await openClient(hub.wsUrl("client_type=worker"), { headers }));
  };
  const workers = await Promise.all(Array.from({ length: WORKERS }, join));
  hub.kill("SIGUSR2");
  await hub.waitForLog("the thread's end", ({ msg }) => msg.startsWith("Thread ended"));
  await hub.waitForLog("the thread's new start", ({ msg }) => msg === "Thread started anew");
  const [left, lost] = await partition(workers, async (worker) => {
    try {
      await worker.untilPong();
      return true;
    } catch {
      return false;
    }
  });
  expect([left.length > 0, lost.length > 0]).toEqual([true, true]);
  await using client = await joinClient(hub, online());
  for (const worker of left) await worker.close();
  // Once, when the last of them has gone: those of the lost thread have gone before.
  const seen: string[] = [];
  const reading = async (): Promise<void> => {
    while (seen.at(-1)?.includes('"offline"') !== true) seen.push(await client.next());
  };
  await within(reading(), "offline");
  expect(await client.untilPong()).toEqual([]);
  expect(seen.filter((text) => text.includes('"offline"'))).toHaveLength(1);
});
