/**
 * The fan-out benchmark: one publisher, many subscribers, the hub against the floor. Servers and load generators are
 * processes of their own; each pair stays connected while the rounds take turns between the pairs, so that whatever
 * else the machine does meets all of them alike.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Round } from "./generator/closed-loop.ts";
import { MESSAGE_BYTES } from "./generator/messages.ts";
import { type Generator, startGenerator } from "./generator/process.ts";
import { describeMachine, openFileLimit } from "./machine.ts";
import { FANOUT_HELP, type FanoutOptions, parseOptions } from "./options.ts";
import { type Report, renderMarkdown, renderTable } from "./report.ts";
import { compare, decisiveRatio, isDisturbed, type Result } from "./result.ts";
import { describeCommand, type RunningServer, resolveTargets, startServer, type Target } from "./servers.ts";

const LEAST_RATIO = 0.9;
/** Below this many subscribers the work done once for each message weighs, and the ratio is only reported. */
const ASSERTED_FROM_SUBSCRIBERS = 1_000;
/** Messages under way lie in the kernel's memory, once for each subscriber. */
const UNDER_WAY_LIMIT_BYTES = 512 * 2 ** 20;
/** Files that a process needs beside its sockets. */
const SPARE_FILES = 100;

interface Pair {
  target: Target;
  server: RunningServer;
  generator: Generator;
}

async function startPair(target: Target, subscribers: number, maxInFlight: number): Promise<Pair> {
  // A secret of this run only; 48 characters, so that a hub in production mode accepts it too.
  const workerSecret = crypto.getRandomValues(Buffer.alloc(24)).toString("hex");
  const server = await startServer(target, workerSecret);
  const generator = startGenerator(target.name);
  const pair = { target, server, generator };
  try {
    const session = { url: server.url, serverPid: server.pid, workerSecret, subscribers, maxInFlight };
    const seconds = await withLog(pair, generator.connect(session));
    note(`${target.name}: ${subscribers} subscribers connected in ${(seconds * 1000).toFixed(0)} ms`);
    return pair;
  } catch (error) {
    await Promise.all([generator.stop(), server.stop()]);
    throw error;
  }
}

/** Where the load fails, the server's log may say why. */
async function withLog<T>({ target, server }: Pair, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    note(`${target.name} logged last:\n${server.lastLog()}`);
    throw error;
  }
}

/**
 * Rounds of one cell for each pair, in turns. A round that something else on the machine disturbed is repeated, at
 * most half as often as there are rounds: on a machine that is never quiet the numbers are taken as they come.
 */
async function measureCells(
  pairs: readonly Pair[],
  inFlight: number,
  options: FanoutOptions,
): Promise<Round[][]> {
  for (const pair of pairs) await withLog(pair, pair.generator.run(inFlight, options.warmUpMs));
  const rounds: Round[][] = pairs.map(() => []);
  let repeatsLeft = Math.ceil(options.rounds / 2);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [index, pair] of pairs.entries()) {
      let measured = await withLog(pair, pair.generator.run(inFlight, options.roundMs));
      while (isDisturbed(measured) && repeatsLeft > 0) {
        repeatsLeft -= 1;
        measured = await withLog(pair, pair.generator.run(inFlight, options.roundMs));
      }
      rounds[index]?.push(measured);
    }
  }
  return rounds;
}

async function measureSubscribers(
  targets: readonly Target[],
  subscribers: number,
  options: FanoutOptions,
): Promise<Result[]> {
  const pairs: Pair[] = [];
  const results: Result[] = [];
  try {
    for (const target of targets)
      pairs.push(await startPair(target, subscribers, Math.max(...options.inFlight)));
    for (const inFlight of options.inFlight) {
      if (subscribers * inFlight * MESSAGE_BYTES > UNDER_WAY_LIMIT_BYTES) {
        note(
          `${subscribers} subscribers, ${inFlight} in flight: skipped, too much for the kernel's socket buffers`,
        );
        continue;
      }
      const rounds = await measureCells(pairs, inFlight, options);
      const compared = compare(
        pairs.map(({ target }, index) => ({
          target: target.name,
          subscribers,
          inFlight,
          rounds: rounds[index] ?? [],
        })),
      );
      for (const result of compared.slice(1)) {
        const { target, throughputRatio, cpuRatio } = result;
        const ratios = `throughput ${throughputRatio.toFixed(2)}, CPU ${cpuRatio.toFixed(2)}`;
        note(
          `${subscribers} subscribers, ${inFlight} in flight, ${target}: ${ratios} of ${targets[0]?.name}`,
        );
      }
      results.push(...compared);
    }
  } finally {
    await Promise.all(pairs.flatMap(({ generator, server }) => [generator.stop(), server.stop()]));
  }
  return results;
}

async function measure(targets: readonly Target[], options: FanoutOptions): Promise<Result[]> {
  const limit = openFileLimit() - SPARE_FILES;
  const results: Result[] = [];
  for (const subscribers of options.subscribers) {
    if (subscribers > limit) {
      throw new Error(
        `${subscribers} subscribers need more open files: ulimit -n ${subscribers + SPARE_FILES}`,
      );
    }
    results.push(...(await measureSubscribers(targets, subscribers, options)));
  }
  return results;
}

async function write(report: Report, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await Bun.write(join(directory, "fanout.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  await Bun.write(join(directory, "fanout.md"), renderMarkdown(report));
  note(`written: ${join(directory, "fanout.json")} and fanout.md`);
}

/** One line for each result that misses the mark. */
function misses(results: readonly Result[]): string[] {
  const baselineName = results[0]?.target;
  let baseline: Result | undefined;
  const lines: string[] = [];
  for (const result of results) {
    if (result.target === baselineName) baseline = result;
    if (baseline === undefined || result.subscribers < ASSERTED_FROM_SUBSCRIBERS) continue;
    const ratio = decisiveRatio(result, baseline);
    if (ratio >= LEAST_RATIO) continue;
    const where = `${result.subscribers} subscribers, ${result.inFlight} in flight`;
    lines.push(`${result.target} reaches ${ratio.toFixed(3)} of ${baseline.target} at ${where}`);
  }
  return lines;
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === undefined) {
    process.stdout.write(FANOUT_HELP);
    return 0;
  }
  const targets = resolveTargets(options.targets);
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    command: ["bun test/bench/fanout.ts", ...argv].join(" "),
    targets: targets.map((target) => ({ name: target.name, command: describeCommand(target) })),
    results: await measure(targets, options),
  };
  process.stdout.write(`${renderTable(report.results)}\n`);
  await write(report, options.out);
  const missed = misses(report.results);
  for (const line of missed) note(line);
  return options.assert && missed.length > 0 ? 1 : 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  note(`bench: ${(error as Error).message}`);
  process.exitCode = 2;
}
