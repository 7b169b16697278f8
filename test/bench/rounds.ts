/**
 * Closed-loop measurements: one publisher, many subscribers. Servers and load generators are processes of their own; each
 * pair stays connected while the rounds take turns between the pairs, so that whatever else the machine does meets all
 * of them alike.
 */
import { note } from "./finding.ts";
import type { Round } from "./generator/closed-loop.ts";
import type { ClosedLoop } from "./generator/closed-loop-process.ts";
import { MESSAGE_BYTES } from "./generator/messages.ts";
import type { Framing } from "./generator/receiver.ts";
import { type Remote, startRemote } from "./generator/remote.ts";
import { openFileLimit } from "./machine.ts";
import type { LoadOptions } from "./options.ts";
import { compare, isDisturbed, type Result } from "./result.ts";
import { type RunningServer, startServer, type Target } from "./servers.ts";

/** Messages under way lie in the kernel's memory, once for each subscriber. */
const UNDER_WAY_LIMIT_BYTES = 512 * 2 ** 20;
/** Files that a process needs beside its sockets. */
const SPARE_FILES = 100;

interface Pair {
  target: Target;
  server: RunningServer;
  generator: Remote<ClosedLoop>;
}

/** One framing and number of subscribers. */
interface Audience {
  framing: Framing;
  subscribers: number;
}

/** A secret of this run only; 48 characters, so that a hub in production mode accepts it too. */
export function createSecret(): string {
  return crypto.getRandomValues(Buffer.alloc(24)).toString("hex");
}

/** @throws where the process may not open as many sockets */
export function assertOpenFiles(subscribers: number): void {
  if (subscribers > openFileLimit() - SPARE_FILES) {
    throw new Error(
      `${subscribers} subscribers need more open files: ulimit -n ${subscribers + SPARE_FILES}`,
    );
  }
}

async function startPair(target: Target, audience: Audience, maxInFlight: number): Promise<Pair> {
  const workerSecret = createSecret();
  const server = await startServer(target, workerSecret);
  const generator = startRemote<ClosedLoop>(target.name, "closed-loop-process.ts");
  const pair = { target, server, generator };
  try {
    const session = { url: server.url, serverPid: server.pid, workerSecret, ...audience, maxInFlight };
    const seconds = await withLog(pair, generator.ask("connect", session));
    const { subscribers, framing } = audience;
    note(
      `${target.name}: ${subscribers} ${framing} subscribers connected in ${(seconds * 1000).toFixed(0)} ms`,
    );
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

function run(pair: Pair, inFlight: number, durationMs: number): Promise<Round> {
  return withLog(pair, pair.generator.ask("run", { inFlight, durationMs }));
}

/**
 * Rounds of one cell for each pair, in turns. A round that something else on the machine disturbed is repeated, at
 * most half as often as there are rounds: on a machine that is never quiet the numbers are taken as they come.
 */
async function measureCells(
  pairs: readonly Pair[],
  inFlight: number,
  options: LoadOptions,
): Promise<Round[][]> {
  for (const pair of pairs) await run(pair, inFlight, options.warmUpMs);
  const rounds: Round[][] = pairs.map(() => []);
  let repeatsLeft = Math.ceil(options.rounds / 2);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [index, pair] of pairs.entries()) {
      let measured = await run(pair, inFlight, options.roundMs);
      while (isDisturbed(measured) && repeatsLeft > 0) {
        repeatsLeft -= 1;
        measured = await run(pair, inFlight, options.roundMs);
      }
      rounds[index]?.push(measured);
    }
  }
  return rounds;
}

async function measureAudience(
  targets: readonly Target[],
  audience: Audience,
  options: LoadOptions,
): Promise<Result[]> {
  const { subscribers, framing } = audience;
  const pairs: Pair[] = [];
  const results: Result[] = [];
  try {
    for (const target of targets)
      pairs.push(await startPair(target, audience, Math.max(...options.inFlight)));
    for (const inFlight of options.inFlight) {
      const where = `${subscribers} ${framing} subscribers, ${inFlight} in flight`;
      if (subscribers * inFlight * MESSAGE_BYTES > UNDER_WAY_LIMIT_BYTES) {
        note(`${where}: skipped, too much for the kernel's socket buffers`);
        continue;
      }
      const rounds = await measureCells(pairs, inFlight, options);
      const cells = pairs.map(({ target }, index) => ({
        target: target.name,
        ...audience,
        inFlight,
        rounds: rounds[index] ?? [],
      }));
      const compared = compare(cells);
      for (const { target, throughputRatio, cpuRatio } of compared.slice(1)) {
        const ratios = `throughput ${throughputRatio.toFixed(2)}, CPU ${cpuRatio.toFixed(2)}`;
        note(`${where}, ${target}: ${ratios} of ${targets[0]?.name}`);
      }
      results.push(...compared);
    }
  } finally {
    await Promise.all(pairs.flatMap(({ generator, server }) => [generator.stop(), server.stop()]));
  }
  return results;
}

/** Measures the targets in every framing, with every number of subscribers and of messages in flight. */
export async function measure(targets: readonly Target[], options: LoadOptions): Promise<Result[]> {
  const results: Result[] = [];
  for (const framing of options.framings) {
    for (const subscribers of options.subscribers) {
      assertOpenFiles(subscribers);
      results.push(...(await measureAudience(targets, { framing, subscribers }, options)));
    }
  }
  return results;
}
