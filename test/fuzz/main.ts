import { join } from "node:path";
import { caseOf } from "./case.ts";
import { readCorpus, toEntry } from "./corpus.ts";
import { type FuzzOptions, HELP, parseOptions } from "./options.ts";
import { mib } from "./run/memory.ts";
import { reproduce, runWindow, type Window } from "./run/reproduce.ts";
import { type Failure, type Progress, runSession } from "./run/session.ts";

/** Where the cases of a failure are written, so that one can be put into the corpus. */
const FOUND = "dist/fuzz";
/** Exit code: stopped by hand or by a signal. */
const INTERRUPTED = 130;
const REPORT_INTERVAL_MS = 10_000;

function replayLine({ seed, command }: FuzzOptions, { from, to }: Window): string {
  const window = from === to ? `--case ${to}` : `--from ${from} --case ${to}`;
  return `bun test/fuzz/main.ts --seed ${seed} ${window} --hub '${JSON.stringify(command)}'`;
}

function printFailure({ fault, log }: Failure): void {
  console.log(`\nFAILED\n${fault}\n\nThe end of the hub's log:\n${log}\n`);
}

/** Runs cases of one seed until the time is over. */
async function fuzz(options: FuzzOptions): Promise<number> {
  const { seed, seconds, command, settleMs } = options;
  console.log(`Fuzzing ${command.join(" ")} for ${seconds} s, seed ${seed}`);
  const startedMs = performance.now();
  let number = 0;
  let reportedMs = startedMs;
  const next = () => {
    if (performance.now() - startedMs > seconds * 1_000) return undefined;
    const mine = number++;
    return { name: String(mine), one: caseOf(seed, mine) };
  };
  const line = ({ episodes, cases, residentBytes }: Progress): string => {
    const tookS = (performance.now() - startedMs) / 1_000;
    const pace = `${(cases / tookS).toFixed(0)}/s`;
    return `${tookS.toFixed(0).padStart(5)} s  ${episodes} episodes, ${cases} cases, ${pace}, the hub at ${mib(residentBytes)}`;
  };
  const result = await runSession({
    command,
    seed,
    settleMs,
    next,
    onEpisode(progress) {
      if (performance.now() - reportedMs < REPORT_INTERVAL_MS) return;
      reportedMs = performance.now();
      console.log(line(progress));
    },
  });
  console.log(line(result));
  if (result.failure === undefined) return 0;
  printFailure(result.failure);
  console.log("Looking for the cases that show it again…");
  const window = await reproduce(options, result.failure);
  if (window === undefined) {
    console.log(
      `No few cases show it again. The whole run: bun test/fuzz/main.ts --seed ${seed} --seconds ${seconds}`,
    );
    return 1;
  }
  for (let at = window.from; at <= window.to; at += 1) {
    const path = join(FOUND, `${seed}-${at}.json`);
    const entry = toEntry(`${seed}-${at}`, result.failure.fault.slice(0, 500), caseOf(seed, at));
    await Bun.write(path, `${JSON.stringify(entry, undefined, 2)}\n`);
  }
  console.log(
    `Replay it with\n  ${replayLine(options, window)}\nThe case is in ${FOUND}/${seed}-${window.to}.json`,
  );
  return 1;
}

async function replay(options: FuzzOptions, window: Window): Promise<number> {
  if (options.show) {
    for (let at = window.from; at <= window.to; at += 1) {
      const { kind } = caseOf(options.seed, at);
      console.log(
        JSON.stringify(toEntry(`${options.seed}-${at}`, kind, caseOf(options.seed, at)), undefined, 2),
      );
    }
    return 0;
  }
  const failure = await runWindow(options, window);
  if (failure === undefined) {
    console.log(`Cases ${window.from} to ${window.to} of seed ${options.seed}: nothing broke`);
    return 0;
  }
  printFailure(failure);
  return 1;
}

async function replayCorpus({ command, seed, settleMs }: FuzzOptions): Promise<number> {
  const corpus = readCorpus();
  const cases = corpus.values();
  const { failure } = await runSession({ command, seed, settleMs, next: () => cases.next().value });
  if (failure === undefined) {
    console.log(`${corpus.length} kept cases: nothing broke`);
    return 0;
  }
  printFailure(failure);
  return 1;
}

async function main(argv: readonly string[]): Promise<number> {
  let options: FuzzOptions | undefined;
  try {
    options = parseOptions(argv, process.env);
  } catch (error) {
    console.error(`fuzz: ${error instanceof Error ? error.message : error}\nSee --help.`);
    return 2;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  if (options.corpus) return await replayCorpus(options);
  return options.window === undefined ? await fuzz(options) : await replay(options, options.window);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(INTERRUPTED));
process.exit(await main(process.argv.slice(2)));
