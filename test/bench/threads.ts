/** What several threads cost and bring: CPU per delivery, balance, the latency of a hop, memory. */
import { residentBytes } from "../support/process.ts";
import { newSockets, socketsByLoop } from "./event-loops.ts";
import { beginReport, conclude, note, runBenchmark, writeReport } from "./finding.ts";
import type { CrowdProcess } from "./generator/crowd-process.ts";
import type { Pace } from "./generator/probe.ts";
import { startRemote } from "./generator/remote.ts";
import { type OpenLoop, type PaceRound, startOpenLoop, WITNESSES } from "./open-loop.ts";
import { type LoadOptions, loadHelp, parseLoadOptions, positive } from "./options.ts";
import { renderTable } from "./report.ts";
import { assertOpenFiles, measure } from "./rounds.ts";
import { createSecret, startServer } from "./servers.ts";
import type { Target } from "./target.ts";
import { hubTarget } from "./targets.ts";
import {
  BURST,
  describeThreadsDisturbance,
  findThreads,
  nameOfThreads,
  renderThreads,
  type ThreadsResult,
} from "./threads-report.ts";

const DEFAULTS = {
  targets: "1,2,4",
  framing: "raw",
  subscribers: "1000",
  inFlight: "20",
  rounds: "10",
  roundMs: "300",
};

const HELP = `Measures the hub with several threads against itself with one. The targets are CPU per delivery within 10 % of
one thread's, and connections within 20 % of an even share.

  bun test/bench/threads.ts [options]

  --targets LIST      numbers of threads, the first is the baseline        (${DEFAULTS.targets})
  --framing LIST      raw, stream, sse                                     (${DEFAULTS.framing})
${loadHelp(DEFAULTS)}`;

/** What CPU time is taken at, in bursts: about a third of a core for 1,000 subscribers, and as much for who reads it. */
const LOAD = { perSecond: 800, durationMs: 2_000, burst: BURST };
/** Low enough that no message waits for another. */
const PACE = { perSecond: 100, durationMs: 3_000 };
const WARM_UP_MS = 500;
/** Each thread compiles for itself what it runs often; a hub that has run for a while has that behind it. */
const LOAD_WARM_UP_MS = 12_000;
/** Starts of each, of which the balance and the memory are taken. */
const MOST_STARTS = 5;
/** Until an idle server has given back what it needed to start. */
const SETTLE_MS = 500;

interface Idle {
  connections: number[];
  bytes: number;
}

/** Starts it, looks at its memory, and lets so many clients connect. */
async function look(target: Target, threads: number, count: number): Promise<Idle> {
  const server = await startServer(target, createSecret());
  const crowd = startRemote<CrowdProcess>(`${target.name}, crowd`, "crowd-process.ts");
  try {
    await Bun.sleep(SETTLE_MS);
    const bytes = residentBytes(server.pid);
    const before = socketsByLoop(server.pid);
    await crowd.ask("connect", { url: server.url, wire: "raw", count });
    return { bytes, connections: newSockets(before, socketsByLoop(server.pid), threads) };
  } finally {
    await Promise.all([crowd.stop(), server.stop()]);
  }
}

async function measureThreads(
  targets: readonly Target[],
  counts: readonly number[],
  { rounds, subscribers }: LoadOptions,
): Promise<ThreadsResult[]> {
  const results = counts.map((threads) => ({
    threads,
    connections: [] as number[][],
    paced: [] as ThreadsResult["paced"][number][],
    latency: [] as ThreadsResult["latency"][number][],
    idleBytes: [] as number[],
  }));
  for (let turn = 0; turn < Math.min(rounds, MOST_STARTS); turn += 1) {
    for (const [index, target] of targets.entries()) {
      const { connections, bytes } = await look(target, counts[index] ?? 1, Math.max(...subscribers));
      results[index]?.connections.push(connections);
      results[index]?.idleBytes.push(bytes);
      note(`${target.name}: connections ${connections.join("+")}, idle ${(bytes / 1e6).toFixed(1)} MB`);
    }
  }
  await takeTurns(targets, Math.max(...subscribers), rounds, LOAD, LOAD_WARM_UP_MS, (index, round) =>
    results[index]?.paced.push(round),
  );
  await takeTurns(targets, WITNESSES, rounds, PACE, WARM_UP_MS, (index, round) =>
    results[index]?.latency.push(round),
  );
  return results;
}

/** Rounds of one pace for all targets in turns. */
async function takeTurns(
  targets: readonly Target[],
  subscribers: number,
  rounds: number,
  pace: Pace,
  warmUpMs: number,
  take: (index: number, round: PaceRound) => void,
): Promise<void> {
  const loops: OpenLoop[] = [];
  try {
    for (const target of targets) loops.push(await startOpenLoop(target, subscribers));
    for (const loop of loops) await loop.run({ ...pace, durationMs: warmUpMs });
    for (let turn = 0; turn < rounds; turn += 1) {
      for (const [index, loop] of loops.entries()) {
        const round = await loop.run(pace);
        take(index, round);
        note(
          `${loop.target.name}, ${pace.perSecond}/s: CPU ${round.serverCpuMicroseconds.toFixed(3)} µs per delivery`,
        );
      }
    }
  } finally {
    await Promise.all(loops.map((loop) => loop.stop()));
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseLoadOptions(argv, DEFAULTS);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  for (const subscribers of options.subscribers) assertOpenFiles(subscribers);
  const counts = options.targets.map(positive);
  const targets = counts.map((threads) => hubTarget(nameOfThreads(threads), { THREADS: String(threads) }));
  const fanout = await measure(targets, options);
  process.stdout.write(`${renderTable(fanout)}\n`);
  const results = await measureThreads(targets, counts, options);
  const report = {
    ...beginReport("threads", "Threads", argv),
    disturbance: describeThreadsDisturbance(results),
    findings: findThreads(results, Math.max(...options.subscribers)),
    fanout,
    results,
  };
  await writeReport(report, renderThreads(report, targets, fanout, results), options.out);
  note(report.disturbance);
  return conclude(report.findings, options.assert);
}

await runBenchmark(main);
