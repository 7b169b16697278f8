/** Latency at a fixed pace below saturation, from when each message should have been sent. */
import { parseArgs } from "node:util";
import { lineChart } from "../support/chart.ts";
import { beginReport, conclude, note, runBenchmark, writeChart, writeReport } from "./finding.ts";
import {
  describeLatency,
  findLatency,
  type LatencyResult,
  latencyPoints,
  renderLatency,
} from "./latency-report.ts";
import { type OpenLoop, type PaceRound, startOpenLoop } from "./open-loop.ts";
import { positive } from "./options.ts";
import { assertOpenFiles, measure } from "./rounds.ts";
import type { Target } from "./target.ts";
import { resolveTargets } from "./targets.ts";

const DEFAULTS = {
  targets: "floor,hub-full,ws,socket.io,nchan",
  subscribers: "1000",
  shares: "25,50",
  rounds: "6",
  seconds: "3",
};

const HELP = `Measures how long messages of 200 bytes take to the subscribers while they are sent at a fixed pace, counted from when
each should have been sent: a stall counts for all messages that it delays. First the saturation is measured, which is
the throughput with 20 in flight; the hub and the first server get the same pace, a share of the lower of both, and
the others a share of their own. The target is a 99th percentile of at most 1.3 times the first server's at 50 %.

  bun test/bench/latency.ts [options]

  --targets LIST      servers to measure, the first is the baseline        (${DEFAULTS.targets})
  --subscribers N                                                          (${DEFAULTS.subscribers})
  --shares LIST       of the saturation, in percent                        (${DEFAULTS.shares})
  --rounds N          servers taking turns; fewer for those not the hub's  (${DEFAULTS.rounds})
  --seconds N         length of one round                                  (${DEFAULTS.seconds})
  --assert            exit code 1 if a target is missed
  --out DIR           for the results as JSON, Markdown and SVG            (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;

const SATURATION = { framings: ["raw" as const], inFlight: [20], rounds: 3, roundMs: 300, warmUpMs: 300 };
const PEER_ROUNDS = 2;
const WARM_UP_MS = 500;
/** Of one core: beyond it a round is repeated, as long as there are repeats left. */
const DISTURBED_SHARE = 0.3;

/** The pace that is 100 % for each target, in messages a second. */
async function saturations(targets: readonly Target[], subscribers: number): Promise<Map<string, number>> {
  const results = await measure(targets, {
    ...SATURATION,
    ...{ targets: [], subscribers: [subscribers], cellSeconds: 60, assert: false, out: "" },
  });
  const found = new Map(
    results.map(({ target, deliveriesPerSecond }) => [target, deliveriesPerSecond / subscribers]),
  );
  const own = targets.filter(({ peer }) => peer === undefined).map(({ name }) => name);
  const lowest = Math.min(...own.map((name) => found.get(name) ?? Number.POSITIVE_INFINITY));
  for (const name of own) found.set(name, lowest);
  return found;
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      targets: { type: "string", default: DEFAULTS.targets },
      subscribers: { type: "string", default: DEFAULTS.subscribers },
      shares: { type: "string", default: DEFAULTS.shares },
      rounds: { type: "string", default: DEFAULTS.rounds },
      seconds: { type: "string", default: DEFAULTS.seconds },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const subscribers = positive(values.subscribers);
  const rounds = positive(values.rounds);
  const durationMs = positive(values.seconds) * 1_000;
  assertOpenFiles(subscribers);
  const { targets, leftOut } = await resolveTargets(values.targets.split(","));
  const full = await saturations(targets, subscribers);
  const loops: OpenLoop[] = [];
  const results: LatencyResult[] = [];
  try {
    for (const target of targets) loops.push(await startOpenLoop(target, subscribers));
    for (const share of values.shares.split(",").map(positive)) {
      const paces = targets.map(({ name }) => Math.max(1, ((full.get(name) ?? 0) * share) / 100));
      const measured = await takeTurns(loops, paces, { rounds, durationMs });
      for (const [index, target] of targets.entries()) {
        const result = { target: target.name, share, rounds: measured[index] ?? [] };
        note(describeLatency(result));
        results.push(result);
      }
    }
  } finally {
    await Promise.all(loops.map((loop) => loop.stop()));
  }
  const { findings, disturbance } = findLatency(results, targets, subscribers);
  const report = {
    ...beginReport("latency", "Latency", argv),
    ...{ disturbance, findings, subscribers, leftOut, results },
  };
  await writeReport(report, renderLatency(report, targets, results, subscribers), values.out);
  for (const share of new Set(results.map((result) => result.share))) {
    const chart = lineChart({
      title: `Latency at ${share} % of saturation, ${subscribers.toLocaleString("en")} subscribers`,
      xLabel: "1 in … messages takes longer",
      yLabel: "ms from when it should have been sent",
      series: results.filter((result) => result.share === share).map(latencyPoints),
      logX: true,
      logY: true,
    });
    await writeChart(`latency-${share}`, chart, values.out);
  }
  note(disturbance);
  return conclude(findings, values.assert);
}

async function takeTurns(
  loops: readonly OpenLoop[],
  paces: readonly number[],
  { rounds, durationMs }: { rounds: number; durationMs: number },
): Promise<PaceRound[][]> {
  const paceOf = (index: number): number => paces[index] ?? 1;
  for (const [index, loop] of loops.entries()) {
    await loop.run({ perSecond: paceOf(index), durationMs: WARM_UP_MS });
  }
  const measured: PaceRound[][] = loops.map(() => []);
  let repeatsLeft = Math.ceil(rounds / 2);
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const [index, loop] of loops.entries()) {
      if (loop.target.peer !== undefined && turn >= PEER_ROUNDS) continue;
      const pace = { perSecond: paceOf(index), durationMs };
      let round = await loop.run(pace);
      while (round.othersShare > DISTURBED_SHARE && repeatsLeft > 0) {
        repeatsLeft -= 1;
        round = await loop.run(pace);
      }
      measured[index]?.push(round);
    }
  }
  return measured;
}

await runBenchmark(main);
