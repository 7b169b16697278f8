/**
 * The whole suite: `bun test/run.ts [stage…]`, which is what `make test` runs. Commands come first, one by one, because
 * the rest stands on them; then the tests, some stages side by side. Prints what each stage has printed, then what was
 * skipped and what failed, a table, and the totals as the last line. Ends with 0 only if something ran, nothing failed
 * and, with CI=true, nothing was skipped.
 */
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./suite/command.ts";
import { type Report, readJunit } from "./suite/junit.ts";
import { installPackages } from "./suite/packages.ts";
import { chosenStages, type Stage, testEnv, testFiles } from "./suite/stages.ts";

const TEST_TIMEOUT_MS = 30_000;
const STAGE_DEADLINE_MS = 20 * 60_000;
/** Most tests wait for something most of the time, so even two cores carry a few stages at once. */
const STAGES_AT_ONCE = 3;

interface Outcome {
  stage: string;
  passed: number;
  failed: string[];
  skipped: string[];
  tookMs: number;
}

const inCi = process.env["CI"] === "true";

async function main(words: string[]): Promise<number> {
  process.chdir(join(import.meta.dir, ".."));
  const stages = chosenStages(words).filter(
    // A stage asked for by name must run something; in the full suite a folder may still be empty.
    (stage) => words.length > 0 || stage.folder === undefined || testFiles(stage).length > 0,
  );
  const outcomes: Outcome[] = [];
  if (inCi && stages.some(({ folder }) => folder !== undefined)) {
    const problem = installPackages();
    if (problem !== undefined) {
      outcomes.push({ stage: "packages", passed: 0, failed: [problem], skipped: [], tookMs: 0 });
    }
  }
  for (const stage of stages.filter(({ commands }) => commands !== undefined)) {
    outcomes.push(await runStage(stage));
  }
  const buildFailed = outcomes.some(({ stage, failed }) => stage === "build" && failed.length > 0);
  const queue = stages.filter(({ folder }) => folder !== undefined);
  const takeStages = async (): Promise<void> => {
    for (let stage = queue.shift(); stage !== undefined; stage = queue.shift()) {
      const isPossible = !(stage.needsBuild && buildFailed);
      outcomes.push(
        isPossible
          ? await runStage(stage).catch((error: Error) => brokenOff(stage, error.message))
          : brokenOff(stage, "there is no binary to test"),
      );
    }
  };
  await Promise.all(Array.from({ length: STAGES_AT_ONCE }, takeStages));
  return conclude(outcomes);
}

/** One stage's misfortune must not cost the others their verdict, nor the run its totals. */
function brokenOff({ name }: Stage, why: string): Outcome {
  return { stage: name, passed: 0, failed: [`broken off: ${why}`], skipped: [], tookMs: 0 };
}

/** What it prints is shown when it is done: several print at once. */
async function runStage(stage: Stage): Promise<Outcome> {
  const startedMs = performance.now();
  const output = join("dist", "log", `${stage.name}.log`);
  rmSync(output, { force: true });
  mkdirSync(dirname(output), { recursive: true });
  console.log(`started ${stage.name}`);
  const report = await (stage.commands === undefined
    ? runTests(stage, output)
    : runCommands(stage.commands, output));
  const tookMs = performance.now() - startedMs;
  console.log(`\n=== ${stage.name}\n${await Bun.file(output).text()}`);
  return { ...report, stage: stage.name, tookMs };
}

async function runCommands(
  commands: NonNullable<Stage["commands"]>,
  output: string,
): Promise<Omit<Report, "files">> {
  const failed: string[] = [];
  for (const { title, command } of commands) {
    const ending = await run(command, { deadlineMs: STAGE_DEADLINE_MS, output });
    const ok = ending.code === 0 && ending.problem === undefined;
    appendFileSync(output, `(${ok ? "pass" : "fail"}) ${title}\n`);
    if (!ok) failed.push(ending.problem === undefined ? title : `${title} ${ending.problem}`);
  }
  return { passed: commands.length - failed.length, failed, skipped: [] };
}

async function runTests(stage: Stage, output: string): Promise<Omit<Report, "files">> {
  const files = testFiles(stage);
  if (files.length === 0) return { passed: 0, failed: [`no test files in ${stage.folder}`], skipped: [] };
  const outfile = join("dist", "junit", `${stage.name}.xml`);
  rmSync(outfile, { force: true });
  mkdirSync(dirname(outfile), { recursive: true });
  const ending = await run(
    [
      ...[process.execPath, "test", `--timeout=${TEST_TIMEOUT_MS}`],
      ...["--reporter=junit", `--reporter-outfile=${outfile}`],
      ...files.map((file) => `./${file}`),
    ],
    { deadlineMs: STAGE_DEADLINE_MS, output, env: testEnv(stage) },
  );
  const { passed, failed, skipped } = await readReport(outfile, files);
  // An error outside of any test is in no report, but in the exit code.
  if (ending.code !== 0 && failed.length === 0)
    failed.push(`the test run ended with ${ending.code ?? "a signal"}`);
  if (ending.problem !== undefined) failed.push(`the test run ${ending.problem}`);
  return { passed, failed, skipped };
}

/** Reads what a run reported, and counts each file as failed that was asked for and ran nothing. */
async function readReport(outfile: string, files: string[]): Promise<Report> {
  try {
    const report = readJunit(await Bun.file(outfile).text());
    for (const file of files) if (!report.files.has(file)) report.failed.push(`${file}: ran no test`);
    return report;
  } catch (error) {
    const failed = [
      `the test run crashed or was cut short (${error instanceof Error ? error.message : error})`,
    ];
    return { passed: 0, failed, skipped: [], files: new Set() };
  }
}

function conclude(outcomes: Outcome[]): number {
  const list = (title: string, lines: string[]): void => {
    if (lines.length > 0)
      console.log(`\n${title}\n${lines.map((line) => `  ${line.replaceAll("\n", " ")}`).join("\n")}`);
  };
  const skipped = outcomes.flatMap(({ stage, skipped }) => skipped.map((name) => `${stage}: ${name}`));
  const failed = outcomes.flatMap(({ stage, failed }) => failed.map((name) => `${stage}: ${name}`));
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  list(inCi ? "Skipped, which CI=true does not allow:" : "Skipped:", skipped);
  list("Failed:", failed);
  console.log("\nstage         passed  failed  skipped      time");
  for (const { stage, passed, failed, skipped, tookMs } of outcomes) {
    const counts = [passed, failed.length, skipped.length].map((count, i) =>
      String(count).padStart(i === 2 ? 9 : 8),
    );
    console.log(`${stage.padEnd(12)}${counts.join("")}${(tookMs / 1000).toFixed(1).padStart(8)} s`);
  }
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
  console.log(`\n${passed} passed, ${failed.length} failed${tail}`);
  return passed === 0 || failed.length > 0 || (inCi && skipped.length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
