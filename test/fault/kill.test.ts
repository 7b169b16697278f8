import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../support/deadline.ts";
import { createMortalHub, type MortalHub } from "../support/mortal-hub.ts";
import type { Random } from "../support/random.ts";
import { overSse, overWebSocket } from "../support/stream.ts";
import { runBackend } from "./kill/backend.ts";
import { createCommandLedger } from "./kill/command-ledger.ts";
import { createLedger } from "./kill/ledger.ts";
import { publishMarker } from "./kill/marker.ts";
import { FILTER } from "./kill/messages.ts";
import { type Observer, type ObserverOptions, startObserver } from "./kill/observer.ts";
import { runPublisher } from "./kill/publisher.ts";
import { type Run, randomOf } from "./kill/run.ts";
import { checkCommands, checkObserver, checkSame, checkStream, readHistory } from "./kill/verdict.ts";
import { startWorker } from "./kill/worker.ts";

// What an acknowledgement is worth: the hub is killed with kill -9 thirty times, at random moments under load, and in
// the end everything that it has acknowledged must be there once, in the one order that everybody has seen.

const KILLS = 30;
/** Between two kills so many messages are acknowledged, and up to so much time passes beyond that. */
const ROUND_LIMIT_MESSAGES = 2_000;
const MOMENT_LIMIT_MS = 20;
/** Every so-manieth time it is killed once more while it starts: at most so long after the start of the process. */
const KILL_AT_START_ONE_IN = 4;
const START_LIMIT_MS = 100;

const TEST_LIMIT_MS = 300_000;
const DRAIN_LIMIT_MS = 60_000;

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const OBSERVERS: readonly ObserverOptions[] = [
  { name: "websocket", transport: overWebSocket },
  { name: "sse", transport: overSse },
  { name: "websocket-filtered", transport: overWebSocket, types: FILTER },
  { name: "sse-filtered", transport: overSse, types: FILTER },
  { name: "websocket-rewinding", transport: overWebSocket, rewinds: true },
  { name: "sse-rewinding", transport: overSse, rewinds: true },
];

const hubEnv = (historyFile: string): Record<string, string> => ({
  HISTORY_FILE: historyFile,
  // Nothing is evicted: whoever is not resumed has found a fault.
  HISTORY_MESSAGES: "1000000",
  HISTORY_BYTES: "4294967296",
  COMMAND_QUEUE: "100000",
  // Positions often enough to matter.
  HEARTBEAT_INTERVAL_MS: "250",
});

test(
  `nothing acknowledged is lost or doubled by ${KILLS} kills`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "vectra-hub-kill-"));
    try {
      await using hub = createMortalHub(hubEnv(join(folder, "history.sqlite")));
      await killAndCompare(hub);
    } catch (error) {
      console.error(`to repeat the random decisions of this run: SEED=${seed}`);
      throw error;
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  TEST_LIMIT_MS,
);

async function killAndCompare(hub: MortalHub): Promise<void> {
  let isEnding = false;
  const run: Run = {
    hub,
    mayRefuse: false,
    ledger: createLedger(),
    commands: createCommandLedger(),
    randomFor: (party) => randomOf(seed, party),
    isEnding: () => isEnding,
  };
  const observers = OBSERVERS.map((options) => startObserver(run, options));
  const worker = startWorker(run, "worker");
  const producers = [
    ...["http-1", "http-2", "http-3"].map((name) => runPublisher(run, name)),
    ...["backend-1", "backend-2"].map((name) => runBackend(run, name)),
  ];
  const ends = [hub.diedByItself, worker.ended, ...observers.map(({ ended }) => ended)];
  const failed = Promise.all([...ends, ...producers]).then(() => undefined);
  // Seen by whoever waits next; it must not count as unhandled before.
  failed.catch(() => undefined);
  /** Waits for what must happen, unless somebody finds a fault first. */
  const awaited = <T>(promise: Promise<T>, what: string, limitMs = DRAIN_LIMIT_MS): Promise<T | undefined> =>
    within(Promise.race([promise, failed]), what, limitMs);

  await killManyTimes(hub, run, run.randomFor("kills"), awaited);

  isEnding = true;
  hub.start();
  await awaited(Promise.all(producers), "an answer for everybody");
  await awaited(worker.published(), "an acknowledgement of all that the worker published");
  await awaited(worker.settled(), "the worker's acknowledgements");
  await awaited(checkCommands(run), "the fate of every command");
  await compareViews(hub, run, observers, awaited);

  worker.stop();
  for (const observer of observers) observer.stop();
  await Promise.all([worker.ended, ...observers.map(({ ended }) => ended)]);
}

type Awaited = <T>(promise: Promise<T>, what: string, limitMs?: number) => Promise<T | undefined>;

async function killManyTimes(hub: MortalHub, run: Run, random: Random, awaited: Awaited): Promise<void> {
  const { ledger } = run;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    if (random.below(KILL_AT_START_ONE_IN) === 0) {
      hub.start();
      await Bun.sleep(random.below(START_LIMIT_MS));
      await hub.kill();
    }
    hub.start();
    await awaited(hub.up(), `start ${kill}`);
    const count = random.below(ROUND_LIMIT_MESSAGES);
    await awaited(ledger.untilAcknowledged(count), `${count} acknowledged messages after start ${kill}`);
    await Bun.sleep(random.below(MOMENT_LIMIT_MS));
    await hub.kill();
  }
}

/** The last message must come to everybody; then all must have seen the same, and a clean restart must change nothing. */
async function compareViews(
  hub: MortalHub,
  run: Run,
  observers: readonly Observer[],
  awaited: Awaited,
): Promise<void> {
  const marker = await awaited(publishMarker(run), "the receipt of the last message");
  const all = observers.map((observer) => observer.reached(marker ?? ""));
  await awaited(Promise.all(all), "the last message, at every observer");

  const history = await readHistory(run, overWebSocket);
  checkStream(run, history);
  checkSame("a late SSE client", await readHistory(run, overSse), history);
  for (const observer of observers)
    checkObserver(run, observer, history.slice(0, history.indexOf(marker ?? "") + 1));

  expect(await hub.stop()).toBe(0);
  hub.start();
  await awaited(hub.up(), "the start after a clean stop");
  const recovered = await readHistory(run, overWebSocket);
  checkSame("a client after a clean restart", recovered.slice(0, history.length), history);
  checkStream(run, recovered);
}
