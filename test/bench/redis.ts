/** Several hubs on one Redis: messages a second through it, the latency it adds, and what one core of it carries. */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { untilReadiness } from "../support/ready.ts";
import { HAS_REDIS, type Redis, startRedis } from "../support/redis.ts";
import { beginReport, conclude, note, renderFindings, runBenchmark, writeReport } from "./finding.ts";
import type { PaceResult } from "./generator/probe.ts";
import type { ProbeProcess } from "./generator/probe-process.ts";
import type { RelayRound } from "./generator/relay.ts";
import type { RelayProcess } from "./generator/relay-process.ts";
import { type Handlers, type Remote, startRemote } from "./generator/remote.ts";
import { describeFileSystem } from "./machine.ts";
import { positive } from "./options.ts";
import { describeRedisDisturbance, findRedis, type RedisResult, renderRedis } from "./redis-report.ts";
import { createSecret, type RunningServer, startServer } from "./servers.ts";
import { hubTarget } from "./targets.ts";

const DEFAULTS = { hubs: "1,2,3", "in-flight": "500", "per-second": "100", rounds: "8", "round-ms": "1000" };
const QUICK_ROUNDS = "3";
const PACE_MS = 3_000;
const WARM_UP_MS = 500;

const HELP = `Measures hubs on one redis-server against one hub by itself, taking turns.

  bun test/bench/redis.ts [options]

  --hubs LIST         how many share a Redis                               (${DEFAULTS.hubs})
  --in-flight N       messages under way at once, over all hubs            (${DEFAULTS["in-flight"]})
  --per-second N      the pace at which latencies are taken                (${DEFAULTS["per-second"]})
  --rounds N          of which the median is taken, groups taking turns    (${DEFAULTS.rounds})
  --round-ms N        length of one round                                  (${DEFAULTS["round-ms"]})
  --quick             ${QUICK_ROUNDS} rounds
  --assert            accepted for the sake of the others: nothing is promised
  --out DIR           for the results as JSON and Markdown                 (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;

/** As Debian has it, but for the append-only file, without which an acknowledgement would not outlive a restart. */
const REDIS_ARGS = ["--appendonly", "yes", "--appendfsync", "everysec"];

/** Some hubs, and what they have shown so far. */
interface Group {
  result: RedisResult & { relay: RelayRound[]; latency: PaceResult[] };
  servers: RunningServer[];
  workerSecret: string;
}

async function startGroup(name: string, hubs: number, redis: Redis | undefined): Promise<Group> {
  const workerSecret = createSecret();
  const shared = redis === undefined ? {} : { REDIS_URL: redis.url, REDIS_PREFIX: `${randomUUID()}:` };
  const target = hubTarget(name, { WORKER_POLICY: "shared", ...shared });
  const servers: RunningServer[] = [];
  try {
    for (let hub = 0; hub < hubs; hub += 1) {
      const server = await startServer(target, workerSecret);
      servers.push(server);
      await untilReadiness(server.url, 200);
    }
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
  const result = { name, hubs, hasRedis: redis !== undefined, relay: [], latency: [] };
  return { result, servers, workerSecret };
}

/** Runs `measure` in turns with a generator process for each group, and ends the processes. */
async function takeTurns<H extends Handlers>(
  groups: readonly Group[],
  { file, rounds }: { file: string; rounds: number },
  connect: (group: Group, remote: Remote<H>) => Promise<void>,
  measure: (group: Group, remote: Remote<H>, isWarmUp: boolean) => Promise<void>,
): Promise<void> {
  const remotes = groups.map(({ result }) => startRemote<H>(`${result.name}, ${file}`, file));
  const each = async (run: (group: Group, remote: Remote<H>) => Promise<void>): Promise<void> => {
    for (const [index, group] of groups.entries()) {
      try {
        await run(group, remotes[index] as Remote<H>);
      } catch (error) {
        for (const { lastLog } of group.servers) note(`${group.result.name} logged last:\n${lastLog()}`);
        throw error;
      }
    }
  };
  try {
    await each(connect);
    await each((group, remote) => measure(group, remote, true));
    for (let turn = 0; turn < rounds; turn += 1) await each((group, remote) => measure(group, remote, false));
  } finally {
    await Promise.all(remotes.map((remote) => remote.stop()));
  }
}

interface Options {
  hubs: readonly number[];
  inFlight: number;
  perSecond: number;
  rounds: number;
  roundMs: number;
}

async function measureRelay(groups: readonly Group[], redisPid: number, options: Options): Promise<void> {
  const { inFlight, roundMs, rounds } = options;
  await takeTurns<RelayProcess>(
    groups,
    { file: "relay-process.ts", rounds },
    async ({ result, servers, workerSecret }, relay) => {
      await relay.ask("connect", {
        urls: servers.map(({ url }) => url),
        hubPids: servers.map(({ pid }) => pid),
        redisPid: result.hasRedis ? redisPid : undefined,
        ...{ workerSecret, maxInFlight: inFlight },
      });
    },
    async ({ result }, relay, isWarmUp) => {
      const round = await relay.ask("run", { inFlight, durationMs: isWarmUp ? WARM_UP_MS : roundMs });
      if (isWarmUp) return;
      result.relay.push(round);
      note(`${result.name}: ${Math.round(round.messages / round.seconds)} messages/s`);
    },
  );
}

/** Published at the first hub, read at the others; where there is none, at the first. */
async function measureLatency(groups: readonly Group[], { perSecond, rounds }: Options): Promise<void> {
  await takeTurns<ProbeProcess>(
    groups,
    { file: "probe-process.ts", rounds },
    async ({ servers, workerSecret }, probe) => {
      const [first = "", ...others] = servers.map(({ url }) => url);
      await probe.ask("connect", { url: first, workerSecret, wire: "raw" });
      for (const url of others.length === 0 ? [first] : others) await probe.ask("addWitness", url);
    },
    async ({ result }, probe, isWarmUp) => {
      const round = await probe.ask("run", { perSecond, durationMs: isWarmUp ? WARM_UP_MS : PACE_MS });
      if (!isWarmUp) result.latency.push(round);
    },
  );
}

function parseOptions(argv: readonly string[]) {
  const text = (name: keyof typeof DEFAULTS) => ({ type: "string", default: DEFAULTS[name] }) as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      hubs: text("hubs"),
      "in-flight": text("in-flight"),
      "per-second": text("per-second"),
      rounds: { type: "string" },
      "round-ms": text("round-ms"),
      quick: { type: "boolean", default: false },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const options: Options = {
    hubs: values.hubs.split(",").map(positive),
    inFlight: positive(values["in-flight"]),
    perSecond: positive(values["per-second"]),
    rounds: positive(values.rounds ?? (values.quick ? QUICK_ROUNDS : DEFAULTS.rounds)),
    roundMs: positive(values["round-ms"]),
  };
  return { options, assert: values.assert, out: values.out };
}

async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseOptions(argv);
  if (parsed === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!HAS_REDIS) throw new Error("there is no redis-server on this machine");
  const { options, out } = parsed;
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(resolve(out), "redis-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  await using redis = await startRedis({ dir: folder, args: REDIS_ARGS });
  const groups: Group[] = [];
  try {
    groups.push(await startGroup("no Redis", 1, undefined));
    for (const hubs of options.hubs)
      groups.push(await startGroup(hubs === 1 ? "1 hub" : `${hubs} hubs`, hubs, redis));
    await measureRelay(groups, redis.pid, options);
    await measureLatency(groups, options);
  } finally {
    await Promise.all(groups.flatMap(({ servers }) => servers.map((server) => server.stop())));
  }
  const results = groups.map(({ result }) => result);
  const report = {
    ...beginReport("redis", "Hubs on one Redis", argv),
    disturbance: describeRedisDisturbance(results),
    findings: findRedis(results, options),
    results,
  };
  const settings = `\`redis-server ${REDIS_ARGS.join(" ")}\`, on ${describeFileSystem(folder)}`;
  process.stdout.write(`${renderFindings(report.findings)}\n`);
  await writeReport(report, renderRedis(report, results, settings), out);
  note(report.disturbance);
  return conclude(report.findings, parsed.assert);
}

await runBenchmark(main);
