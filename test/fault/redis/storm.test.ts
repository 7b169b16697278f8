import { randomUUID } from "node:crypto";
import { within } from "../../support/deadline.ts";
import { createMortalHub, type MortalHub } from "../../support/mortal-hub.ts";
import { createProxy, type FaultProxy } from "../../support/proxy.ts";
import type { Random } from "../../support/random.ts";
import { type Redis, startRedis, testWithRedis } from "../../support/redis.ts";
import { overSse, overWebSocket } from "../../support/stream.ts";
import { createCommandLedger } from "../kill/command-ledger.ts";
import { createLedger } from "../kill/ledger.ts";
import { publishMarker } from "../kill/marker.ts";
import { FILTER } from "../kill/messages.ts";
import { type ObserverOptions, startObserver } from "../kill/observer.ts";
import { runPublisher } from "../kill/publisher.ts";
import { type Run, randomOf } from "../kill/run.ts";
import { checkObserver, checkSame, checkStream, readHistory } from "../kill/verdict.ts";
import { startWorker } from "../kill/worker.ts";
import { FAULTS } from "./faults.ts";
import { LEASE_MS, redisThrough, TIMEOUT_MS } from "./scene.ts";

// One thing after the other goes wrong, at random moments under load: hubs are killed and stopped, Redis is killed and
// stopped, the network cuts, swallows and delays. In the end everything that was acknowledged must be there once, in the
// one order that everybody has seen at whichever hub. SEED=n repeats the random decisions.

const ROUNDS = 24;
/** Between two faults so many messages are acknowledged. */
const ROUND_LIMIT_MESSAGES = 400;
const TEST_LIMIT_MS = 180_000;
const DRAIN_LIMIT_MS = 60_000;

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const OBSERVERS: readonly ObserverOptions[] = [
  { name: "websocket", transport: overWebSocket },
  { name: "sse", transport: overSse },
  { name: "websocket-filtered", transport: overWebSocket, types: FILTER },
  { name: "sse-rewinding", transport: overSse, rewinds: true },
];

/** A hub that is killed and comes back, and its network to Redis. */
interface MortalNode {
  readonly hub: MortalHub;
  readonly proxy: FaultProxy;
}

/** What can be reached: one hub after the other. */
function anyOf(nodes: readonly MortalNode[]): Run["hub"] {
  let turn = 0;
  return {
    get url() {
      turn += 1;
      return nodes[turn % nodes.length]?.hub.url ?? "";
    },
    up: () => Promise.race(nodes.map(({ hub }) => hub.up())),
  };
}

testWithRedis(
  `nothing acknowledged is lost or doubled by ${ROUNDS} faults, and all hubs show one order`,
  async () => {
    await using started = new AsyncDisposableStack();
    const redis = started.use(await startRedis());
    const prefix = `${randomUUID()}:`;
    const nodes = Array.from({ length: 2 }, (): MortalNode => {
      const proxy = started.use(createProxy(`http://127.0.0.1:${redis.port}`));
      const env = {
        REDIS_URL: redisThrough(proxy),
        REDIS_PREFIX: prefix,
        REDIS_TIMEOUT_MS: String(TIMEOUT_MS),
        WORKER_LEASE_MS: String(LEASE_MS),
        // Nothing is evicted: whoever is not resumed has found a fault.
        HISTORY_MESSAGES: "1000000",
        HISTORY_BYTES: "4294967296",
        HEARTBEAT_INTERVAL_MS: "250",
      };
      return { hub: started.use(createMortalHub(env)), proxy };
    });
    try {
      await stormAndCompare(redis, nodes);
    } catch (error) {
      console.error(`to repeat the random decisions of this run: SEED=${seed}`);
      throw error;
    }
  },
  TEST_LIMIT_MS,
);

async function stormAndCompare(redis: Redis, nodes: readonly MortalNode[]): Promise<void> {
  let isEnding = false;
  const run: Run = {
    hub: anyOf(nodes),
    mayRefuse: true,
    ledger: createLedger(),
    commands: createCommandLedger(),
    randomFor: (party) => randomOf(seed, party),
    isEnding: () => isEnding,
  };
  for (const { hub } of nodes) hub.start();
  await Promise.all(nodes.map(({ hub }) => within(hub.up(), "the first start")));
  const observers = OBSERVERS.map((options) => startObserver(run, options));
  const worker = startWorker(run, "worker");
  const producers = ["http-1", "http-2", "http-3"].map((name) => runPublisher(run, name));
  const deaths = nodes.map(({ hub }) => hub.diedByItself);
  const ends = [...deaths, worker.ended, ...observers.map(({ ended }) => ended)];
  const failed = Promise.all([...ends, ...producers]).then(() => undefined);
  // Seen by whoever waits next; it must not count as unhandled before.
  failed.catch(() => undefined);
  /** Waits for what must happen, unless somebody finds a fault first. */
  const awaited = <T>(promise: Promise<T>, what: string): Promise<T | undefined> =>
    within(Promise.race([promise, failed]), what, DRAIN_LIMIT_MS);

  await raiseFaults(redis, nodes, run, run.randomFor("faults"), awaited);

  isEnding = true;
  await awaited(Promise.all(producers), "an answer for everybody");
  await awaited(worker.published(), "an acknowledgement of all that the worker published");
  const marker = (await awaited(publishMarker(run), "the receipt of the last message")) ?? "";
  const all = observers.map((observer) => observer.reached(marker));
  await awaited(Promise.all(all), "the last message, at every observer");

  const history = await readHistory(run, overWebSocket);
  checkStream(run, history);
  checkStatuses(history.map((cursor) => run.ledger.meanings.get(cursor) ?? ""));
  // Each goes to the next hub.
  for (const transport of [overWebSocket, overSse, overSse])
    checkSame("a late client", (await readHistory(run, transport)).slice(0, history.length), history);
  for (const observer of observers)
    checkObserver(run, observer, history.slice(0, history.indexOf(marker) + 1));

  worker.stop();
  for (const observer of observers) observer.stop();
  await Promise.all([worker.ended, ...observers.map(({ ended }) => ended)]);
}

type Awaited = <T>(promise: Promise<T>, what: string) => Promise<T | undefined>;

async function raiseFaults(
  redis: Redis,
  nodes: readonly MortalNode[],
  run: Run,
  random: Random,
  awaited: Awaited,
): Promise<void> {
  const names = Object.keys(FAULTS);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = names[random.below(names.length)] ?? "";
    const node = nodes[random.below(nodes.length)];
    if (node === undefined) throw new Error("no node");
    await FAULTS[name]?.({ redis, node, random });
    const count = random.below(ROUND_LIMIT_MESSAGES);
    await awaited(run.ledger.untilAcknowledged(count), `${count} messages after round ${round}, ${name}`);
  }
}

/** A worker that is offline cannot become offline: each change is told once. */
function checkStatuses(texts: readonly string[]): void {
  const statuses = texts.map((text) => JSON.parse(text)).filter(({ type }) => type === "WORKER_STATUS");
  for (const [at, { status }] of statuses.entries())
    if (status === "offline" && (statuses[at - 1]?.status ?? "offline") === "offline")
      throw new Error(`offline was told twice, as status ${at} of ${statuses.length}`);
}
