/** The fan-out benchmark: the hub against the floor, which is a bare Bun.serve (floor.ts), and against other servers. */
import {
  beginReport,
  conclude,
  type Finding,
  note,
  runBenchmark,
  writeChart,
  writeReport,
} from "./finding.ts";
import { fanoutChart, renderMatrix } from "./matrix.ts";
import { loadHelp, parseLoadOptions } from "./options.ts";
import { describeDisturbance, FRAMING_NAMES, renderLoadMarkdown, renderTable } from "./report.ts";
import { decisiveRatio, inPairs, type Result, timesFaster } from "./result.ts";
import { measure } from "./rounds.ts";
import type { Target } from "./target.ts";
import { resolveTargets } from "./targets.ts";

const LEAST_RATIO = 0.9;
/** Below this many subscribers the work done once for each message weighs, and the ratio is only reported. */
const ASSERTED_FROM_SUBSCRIBERS = 1_000;
/** How many times as fast as these the hub has to be, with as many subscribers and messages in flight. */
const LEAST_TIMES: Readonly<Record<string, number>> = { ws: 8, nchan: 5 };
const LEAST_TIMES_AT = { subscribers: 1_000, inFlight: 20 };

const DEFAULTS = {
  targets: "floor,hub,hub-file,hub-full,ws,socket.io,nchan",
  framing: "raw,stream",
  subscribers: "10,100,1000,10000",
  inFlight: "1,20,500",
  rounds: "8",
  roundMs: "200",
};

const HELP = `Measures fan-out: the hub against a bare Bun.serve and against other servers, in one run. The target is ${LEAST_RATIO} of
the first server's throughput at ${ASSERTED_FROM_SUBSCRIBERS} subscribers or more, ${LEAST_TIMES["ws"]} times that of ws and ${LEAST_TIMES["nchan"]} times that of Nchan at
${LEAST_TIMES_AT.subscribers} subscribers with ${LEAST_TIMES_AT.inFlight} in flight; where the generator was the bottleneck or the machine busy otherwise, CPU
time decides.

  bun test/bench/fanout.ts [options]

  --targets LIST      servers to measure, the first is the baseline
                      (${DEFAULTS.targets})
                      "floor,floor" shows how far the bench itself can be trusted
  --framing LIST      raw, stream, sse                                     (${DEFAULTS.framing})
  --quick             1000 subscribers, 1 and 20 in flight, 3 rounds: about a minute
${loadHelp(DEFAULTS)}`;

/** One finding for each server that is the hub, framing and number of subscribers for which something was promised. */
function findRatios(results: readonly Result[]): Finding[] {
  const groups = Object.values(
    Object.groupBy(inPairs(results), ([, { target, framing, subscribers }]) =>
      [target, framing, subscribers].join(" "),
    ),
  );
  return groups.flatMap((pairs = []) => {
    const first = pairs[0]?.[1];
    if (first === undefined || first.subscribers < ASSERTED_FROM_SUBSCRIBERS) return [];
    const ratios = pairs.map(([baseline, result]) => decisiveRatio(result, baseline));
    const shown = ratios.map((ratio) => ratio.toFixed(2)).join(", ");
    const inFlight = pairs.map(([, result]) => result.inFlight).join(", ");
    const times = ratios.length > 1 ? " each" : "";
    return {
      what: `fan-out, ${first.target}, ${FRAMING_NAMES[first.framing]}, ${first.subscribers.toLocaleString("en")} subscribers`,
      measured: `${shown} of a bare Bun.serve with ${inFlight} in flight`,
      target: `at least ${LEAST_RATIO}${times}`,
      met: ratios.every((ratio) => ratio >= LEAST_RATIO),
    };
  });
}

/** How much faster than each other server the hub is, with as much turned on as was measured. */
function findTimes(results: readonly Result[], peers: readonly Target[], hubName: string): Finding[] {
  const { subscribers, inFlight } = LEAST_TIMES_AT;
  const isAt = (result: Result): boolean =>
    result.framing === "raw" && result.subscribers === subscribers && result.inFlight === inFlight;
  const hub = results.find((result) => isAt(result) && result.target === hubName);
  return peers.flatMap(({ name, peer }) => {
    const slower = results.find((result) => isAt(result) && result.target === name);
    if (hub === undefined || slower === undefined) return [];
    const times = timesFaster(hub, slower);
    const least = LEAST_TIMES[name];
    return {
      what: `fan-out, ${hubName} against ${peer}, ${subscribers.toLocaleString("en")} subscribers, ${inFlight} in flight`,
      measured: `${times.toFixed(1)} times its throughput`,
      target: least === undefined ? "" : `at least ${least} times`,
      met: least === undefined || times >= least,
    };
  });
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseLoadOptions(argv, DEFAULTS);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const { targets, leftOut } = await resolveTargets(options.targets);
  const results = await measure(targets, options);
  process.stdout.write(`${renderTable(results)}\n`);
  const peers = targets.filter(({ peer }) => peer !== undefined);
  const own = results.filter(({ target }) => peers.every(({ name }) => name !== target));
  const hubName = own.at(-1)?.target ?? "";
  const report = {
    ...beginReport("fanout", "Fan-out", argv),
    disturbance: describeDisturbance(results),
    findings: [...findRatios(own), ...findTimes(results, peers, hubName)],
    targets,
    leftOut,
    results,
  };
  const absent = leftOut.length === 0 ? "" : `Left out: ${leftOut.join("; ")}.`;
  const matrix = `Thousands of deliveries a second:\n\n${renderMatrix(results)}\n`;
  await writeReport(
    report,
    `${renderLoadMarkdown(report, targets, results, absent)}\n${matrix}`,
    options.out,
  );
  for (const framing of options.framings) {
    await writeChart(`fanout-${framing}`, fanoutChart(results, framing), options.out);
  }
  note(report.disturbance);
  return conclude(report.findings, options.assert);
}

await runBenchmark(main);
