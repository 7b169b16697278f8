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
import { createSecret, type RunningServer, startServer } from "./servers.ts";
import type { Target } from "./target.ts";

/** Messages under way lie in the kernel's memory, once for each subscriber. */
const UNDER_WAY_LIMIT_BYTES = 1024 * 2 ** 20;
/** Deliveries under way at a server that is many times slower: they have to arrive before a round can end. */
const PEER_UNDER_WAY_LIMIT = 500_000;
/** Such a server is so far away from the others that few rounds say enough. */
const PEER_ROUNDS = 3;
/** As many in any case, however long they take. */
const LEAST_ROUNDS = 3;
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
    const { subscribers, framing } = audience;
    const wire = target.wire ?? framing;
    const session = { url: server.url, serverPid: server.pid, workerSecret, wire, subscribers, maxInFlight };
    const seconds = await withLog(pair, generator.ask("connect", session));
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

/** How many messages are kept under way: as many as were asked for, unless the server is slow. */
function underWay({ target }: Pair, { subscribers }: Audience, inFlight: number): number {
  if (target.peer === undefined) return inFlight;
  return Math.min(inFlight, Math.max(1, Math.floor(PEER_UNDER_WAY_LIMIT / subscribers)));
}

/**
 * Rounds of one cell for each pair, in turns, until there are enough or their time is up. A round that something else on
 * the machine disturbed is repeated, at most half as often as there are rounds: on a machine that is never quiet the
 * numbers are taken as they come.
 */
async function measureCells(
  pairs: readonly Pair[],
  audience: Audience,
  inFlight: number,
  options: LoadOptions,
): Promise<Round[][]> {
  const messages = (pair: Pair): number => underWay(pair, audience, inFlight);
  for (const pair of pairs) {
    // A slow server is warm from the cell before.
    const isCold = pair.target.peer === undefined || inFlight === options.inFlight[0];
    if (isCold) await run(pair, messages(pair), options.warmUpMs);
  }
  const endMs = performance.now() + options.cellSeconds * 1_000;
  const rounds: Round[][] = pairs.map(() => []);
  let repeatsLeft = Math.ceil(options.rounds / 2);
  for (let turn = 0; turn < options.rounds; turn += 1) {
    for (const [index, pair] of pairs.entries()) {
      if (pair.target.peer !== undefined && turn >= PEER_ROUNDS) continue;
      let measured = await run(pair, messages(pair), options.roundMs);
      while (isDisturbed(measured) && repeatsLeft > 0 && performance.now() < endMs) {
        repeatsLeft -= 1;
        measured = await run(pair, messages(pair), options.roundMs);
      }
      rounds[index]?.push(measured);
    }
    if (turn + 1 >= LEAST_ROUNDS && performance.now() > endMs) break;
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
      const rounds = await measureCells(pairs, audience, inFlight, options);
      const cells = pairs.map((pair, index) => ({
        target: pair.target.name,
        ...audience,
        inFlight,
        underWay: underWay(pair, audience, inFlight),
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
      const able = targets.filter(({ framings }) => framings === undefined || framings.includes(framing));
      results.push(...(await measureAudience(able, { framing, subscribers }, options)));
    }
  }
  return results;
}
