/** How many messages a second SSE streams are sent in all. */
import { beginReport, conclude, type Finding, note, runBenchmark, writeReport } from "./finding.ts";
import { loadHelp, parseLoadOptions } from "./options.ts";
import { describeDisturbance, describeLoad, renderLoadMarkdown, renderTable } from "./report.ts";
import type { Result } from "./result.ts";
import { measure } from "./rounds.ts";
import { resolveTargets } from "./targets.ts";

const LEAST_MESSAGES_PER_SECOND = 500_000;

const DEFAULTS = {
  targets: "floor,hub",
  framing: "sse",
  subscribers: "1000",
  inFlight: "20",
  rounds: "12",
  roundMs: "200",
};

const HELP = `Measures how many messages a second the hub delivers over SSE, beside a bare Bun.serve that writes the same
events, one chunk for each stream and turn. The target for the hub is ${LEAST_MESSAGES_PER_SECOND} messages/s.

  bun test/bench/sse.ts [options]

  --targets LIST      servers to measure, the first is the baseline        (${DEFAULTS.targets})
${loadHelp(DEFAULTS)}`;

function find(result: Result): Finding {
  const perSecond = Math.round(result.deliveriesPerSecond / 1000) * 1000;
  return {
    what: describeLoad(result),
    measured: `${perSecond.toLocaleString("en")} messages/s in all, ${result.throughputRatio.toFixed(2)} of a bare Bun.serve`,
    target: `at least ${LEAST_MESSAGES_PER_SECOND.toLocaleString("en")}`,
    met: result.deliveriesPerSecond >= LEAST_MESSAGES_PER_SECOND,
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseLoadOptions(argv, DEFAULTS);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const { targets } = await resolveTargets(options.targets);
  const results = await measure(targets, options);
  process.stdout.write(`${renderTable(results)}\n`);
  const report = {
    ...beginReport("sse", "SSE", argv),
    disturbance: describeDisturbance(results),
    findings: results.filter(({ target }) => target === "hub").map(find),
    results,
  };
  await writeReport(report, renderLoadMarkdown(report, targets, results), options.out);
  note(report.disturbance);
  return conclude(report.findings, options.assert);
}

await runBenchmark(main);
