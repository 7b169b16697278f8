import type { Round } from "./generator/closed-loop.ts";
import type { Framing } from "./generator/receiver.ts";
import { type Summary, summarise } from "./statistics.ts";

/** One target's rounds in one framing, at one number of subscribers and of messages in flight. */
export interface Cell {
  target: string;
  framing: Framing;
  subscribers: number;
  inFlight: number;
  /** Messages that really were: fewer than `inFlight` where a slow server would have taken too long. */
  underWay: number;
  rounds: readonly Round[];
}

/** A cell in the units that are compared. Shares are of one core: 1 is a thread that never waited. */
export interface Result {
  target: string;
  framing: Framing;
  subscribers: number;
  inFlight: number;
  underWay: number;
  microsecondsPerDelivery: Summary;
  serverCpuMicrosecondsPerDelivery: Summary;
  deliveriesPerSecond: number;
  serverShare: number;
  generatorShare: number;
  /** What everybody else took of the machine's cores while this ran. */
  othersShare: number;
  deliveriesPerRead: number;
  /** The generator was busy all the time and the server was not: the number is the generator's, not the server's. */
  generatorBound: boolean;
  /** Rounds that something else disturbed and that were taken nevertheless. */
  disturbedRounds: number;
  /** The baseline's time per delivery ÷ this one's, by turns, the median: 1 is as fast, below 1 is slower. */
  throughputRatio: number;
  /** The same of the server's CPU time. */
  cpuRatio: number;
  rounds: readonly Round[];
}

const BUSY_SHARE = 0.95;
const WAITING_SHARE = 0.85;
/** Of one core. Ticks of 10 ms and the bench's own process make for some that is nobody's. */
const DISTURBED_SHARE = 0.3;

/** Whether something else on this machine took so much of it that the round says little about the server. */
export function isDisturbed(round: Round): boolean {
  return othersShare(round) > DISTURBED_SHARE;
}

/** Results of the cells that share subscribers and messages in flight; the first is the baseline of the others. */
export function compare(cells: readonly Cell[]): Result[] {
  const baseline = cells[0];
  if (baseline === undefined) return [];
  return cells.map((cell) => ({
    ...measure(cell),
    throughputRatio: medianRatio(baseline, cell, wallSeconds),
    cpuRatio: medianRatio(baseline, cell, cpuSeconds),
  }));
}

/** Every result that has a baseline, with that: as `compare` has put them in order. */
export function inPairs(results: readonly Result[]): [baseline: Result, result: Result][] {
  const pairs: [Result, Result][] = [];
  const name = results[0]?.target;
  let baseline: Result | undefined;
  for (const result of results) {
    if (result.target === name) baseline = result;
    else if (baseline !== undefined) pairs.push([baseline, result]);
  }
  return pairs;
}

type Rounds = Pick<Cell, "rounds">;

/** Each round is compared with the baseline's of the same turn: a machine's speed drifts by more than servers differ. */
function medianRatio(baseline: Rounds, cell: Rounds, cost: (round: Round) => number): number {
  const costs = baseline.rounds.map(cost);
  return summarise(cell.rounds.map((round, turn) => (costs[turn] ?? Number.NaN) / cost(round))).median;
}

function wallSeconds(round: Round): number {
  return round.seconds / round.deliveries;
}

function cpuSeconds(round: Round): number {
  return round.serverCpuSeconds / round.deliveries;
}

/**
 * The ratio to judge a result by: throughput, unless a generator that could not keep up hides the difference between
 * the servers, or the machine was mostly busy with other things; then the servers' CPU time.
 */
export function decisiveRatio(result: Result, baseline: Result): number {
  return medianRatio(baseline, result, wallMisleads([result, baseline]) ? cpuSeconds : wallSeconds);
}

/** How many times as fast as a slower server this one is, turn by turn, judged in the same way. */
export function timesFaster(result: Result, slower: Result): number {
  return 1 / medianRatio(result, slower, wallMisleads([result, slower]) ? cpuSeconds : wallSeconds);
}

function wallMisleads(results: readonly Result[]): boolean {
  return results.some(
    ({ generatorBound, disturbedRounds, rounds }) => generatorBound || disturbedRounds > rounds.length / 2,
  );
}

function measure({
  target,
  framing,
  subscribers,
  inFlight,
  underWay,
  rounds,
}: Cell): Omit<Result, "throughputRatio" | "cpuRatio"> {
  const microsecondsPerDelivery = summarise(rounds.map((each) => wallSeconds(each) * 1e6));
  const serverCpu = summarise(rounds.map((each) => cpuSeconds(each) * 1e6));
  const serverShare = median(rounds, (each) => each.serverCpuSeconds / each.seconds);
  const generatorShare = median(rounds, (each) => each.generatorCpuSeconds / each.seconds);
  return {
    target,
    framing,
    subscribers,
    inFlight,
    underWay,
    microsecondsPerDelivery,
    serverCpuMicrosecondsPerDelivery: serverCpu,
    deliveriesPerSecond: 1e6 / microsecondsPerDelivery.median,
    serverShare,
    generatorShare,
    othersShare: median(rounds, othersShare),
    deliveriesPerRead: median(rounds, (each) => each.deliveries / each.chunks),
    generatorBound: generatorShare >= BUSY_SHARE && serverShare < WAITING_SHARE,
    disturbedRounds: rounds.filter(isDisturbed).length,
    rounds,
  };
}

function othersShare(round: Round): number {
  const own = round.serverCpuSeconds + round.generatorCpuSeconds;
  return Math.max(0, round.machineCpuSeconds - own) / round.seconds;
}

function median(rounds: readonly Round[], value: (round: Round) => number): number {
  return summarise(rounds.map(value)).median;
}
