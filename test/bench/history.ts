/** What a history on a file costs: the hub with HISTORY_FILE against the hub that keeps its history in memory. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { beginReport, conclude, type Finding, note, runBenchmark, writeReport } from "./finding.ts";
import { describeFileSystem } from "./machine.ts";
import { loadHelp, parseLoadOptions } from "./options.ts";
import { describeDisturbance, describeLoad, renderLoadMarkdown, renderTable } from "./report.ts";
import { decisiveRatio, inPairs, type Result } from "./result.ts";
import { measure } from "./rounds.ts";
import { hubTarget } from "./targets.ts";

const LEAST_RATIO = 0.95;

// Rounds of a second, so that each holds some of SQLite's checkpoints, which write the log back to the file.
const DEFAULTS = {
  targets: "memory,file",
  framing: "raw",
  subscribers: "1000",
  inFlight: "20",
  rounds: "20",
  roundMs: "1000",
  cellSeconds: "120",
};

const HELP = `Measures fan-out with the history on a file against fan-out with the history in memory, in one run. The file
lies in the --out folder, which should be on a real disk. The target is ${LEAST_RATIO} of the throughput.

  bun test/bench/history.ts [options]

  --framing LIST      raw, stream, sse                                     (${DEFAULTS.framing})
${loadHelp(DEFAULTS)}`;

function find(baseline: Result, result: Result): Finding {
  const ratio = decisiveRatio(result, baseline);
  return {
    what: `history on a file, ${describeLoad(result)}`,
    measured: `${ratio.toFixed(3)} of the throughput with the history in memory`,
    target: `at least ${LEAST_RATIO}`,
    met: ratio >= LEAST_RATIO,
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseLoadOptions(argv, DEFAULTS);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  mkdirSync(options.out, { recursive: true });
  const folder = mkdtempSync(join(resolve(options.out), "history-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const fileSystem = describeFileSystem(folder);
  note(`the history file is on ${fileSystem}`);

  const targets = options.targets.map((name, index) => {
    if (name === "memory") return hubTarget(index === 0 ? name : `${name} (${index + 1})`, {});
    if (name !== "file") throw new Error(`unknown target "${name}": memory or file`);
    return hubTarget(name, { HISTORY_FILE: join(folder, `history-${index}.sqlite`) });
  });
  const results = await measure(targets, options);
  process.stdout.write(`${renderTable(results)}\n`);
  const report = {
    ...beginReport("history", "History on a file", argv),
    disturbance: describeDisturbance(results),
    findings: inPairs(results).map(([baseline, result]) => find(baseline, result)),
    fileSystem,
    results,
  };
  const markdown = renderLoadMarkdown(report, targets, results, `The history file is on ${fileSystem}.`);
  await writeReport(report, markdown, options.out);
  note(report.disturbance);
  return conclude(report.findings, options.assert);
}

await runBenchmark(main);
