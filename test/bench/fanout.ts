/** The fan-out benchmark: the hub against the floor, which is a bare Bun.serve (floor.ts). */
import { beginReport, conclude, type Finding, note, runBenchmark, writeReport } from "./finding.ts";
import { loadHelp, parseLoadOptions } from "./options.ts";
import { describeDisturbance, describeLoad, renderLoadMarkdown, renderTable } from "./report.ts";
import { decisiveRatio, inPairs, type Result } from "./result.ts";
import { measure } from "./rounds.ts";
import { resolveTargets } from "./servers.ts";

const LEAST_RATIO = 0.9;
/** Below this many subscribers the work done once for each message weighs, and the ratio is only reported. */
const ASSERTED_FROM_SUBSCRIBERS = 1_000;

const DEFAULTS = {
  targets: "floor,hub",
  framing: "raw",
  subscribers: "10,100,1000",
  inFlight: "1,20,500",
  rounds: "12",
  roundMs: "200",
};

const HELP = `Measures fan-out: the hub against a bare Bun.serve, in one run. The target is 0.9 of the first server's
throughput at ${ASSERTED_FROM_SUBSCRIBERS} subscribers or more; where the generator was the bottleneck or the machine busy otherwise, CPU
time decides.

  bun test/bench/fanout.ts [options]

  --targets LIST      servers to measure, the first is the baseline        (${DEFAULTS.targets})
                      "floor,floor" shows how far the bench itself can be trusted
  --framing LIST      raw, stream, sse                                     (${DEFAULTS.framing})
  --quick             1000 subscribers, 1 and 20 in flight, 8 rounds: under 20 s
${loadHelp(DEFAULTS)}`;

function find(baseline: Result, result: Result): Finding {
  const ratio = decisiveRatio(result, baseline);
  const perSecond = Math.round(result.deliveriesPerSecond / 1_000) * 1_000;
  const isPromised = result.subscribers >= ASSERTED_FROM_SUBSCRIBERS;
  return {
    what: `fan-out, ${describeLoad(result)}`,
    measured: `${result.microsecondsPerDelivery.median.toFixed(2)} µs per delivery, ${perSecond.toLocaleString("en")} deliveries/s, ${ratio.toFixed(2)} of a bare Bun.serve`,
    target: isPromised ? `at least ${LEAST_RATIO}` : "",
    met: !isPromised || ratio >= LEAST_RATIO,
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseLoadOptions(argv, DEFAULTS);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const targets = resolveTargets(options.targets);
  const results = await measure(targets, options);
  process.stdout.write(`${renderTable(results)}\n`);
  const report = {
    ...beginReport("fanout", "Fan-out", argv),
    disturbance: describeDisturbance(results),
    findings: inPairs(results).map(([baseline, result]) => find(baseline, result)),
    results,
  };
  await writeReport(report, renderLoadMarkdown(report, targets, results), options.out);
  note(report.disturbance);
  return conclude(report.findings, options.assert);
}

await runBenchmark(main);
