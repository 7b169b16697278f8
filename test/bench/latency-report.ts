import type { LineChart } from "../support/chart.ts";
import { type Finding, type Report, renderHead } from "./finding.ts";
import { type Histogram, merge, percentileOf } from "./histogram.ts";
import { type PaceRound, WITNESSES } from "./open-loop.ts";
import { describeTargets } from "./report.ts";
import { summarise } from "./statistics.ts";
import type { Target } from "./target.ts";

/** One target's rounds at one share of the saturation, in percent. */
export interface LatencyResult {
  target: string;
  share: number;
  rounds: readonly PaceRound[];
}

const MOST_TIMES = 1.3;
const ASSERTED_AT_SHARE = 50;
const SHARES = [0.5, 0.9, 0.99, 0.999];
/** Of one core: a crowd that is so busy reads late. */
const BUSY_SHARE = 0.95;
const DISTURBED_SHARE = 0.3;

const latenciesOf = ({ rounds }: LatencyResult): Histogram => merge(rounds.map(({ latencies }) => latencies));

const p99 = (round: PaceRound): number => percentileOf(round.latencies, 0.99);

/** The 99th percentile ÷ the baseline's, turn by turn, and of that the median. */
function timesBaseline(result: LatencyResult, baseline: LatencyResult): number {
  const base = baseline.rounds.map(p99);
  return summarise(result.rounds.map((round, turn) => p99(round) / (base[turn] ?? Number.NaN))).median;
}

/** What was promised of the hub's latency, and how much others disturbed the rounds. */
export function findLatency(
  results: readonly LatencyResult[],
  targets: readonly Target[],
  subscribers: number,
): { findings: Finding[]; disturbance: string } {
  const baselineName = results[0]?.target;
  const findings = results.flatMap((result): Finding[] => {
    const isPeer = targets.some(({ name, peer }) => name === result.target && peer !== undefined);
    const baseline = results.find(({ target, share }) => target === baselineName && share === result.share);
    if (isPeer || baseline === undefined || result === baseline) return [];
    const times = timesBaseline(result, baseline);
    const isPromised = result.share === ASSERTED_AT_SHARE;
    const all = percentileOf(latenciesOf(result), 0.99);
    const base = percentileOf(latenciesOf(baseline), 0.99);
    return [
      {
        what: `latency, ${result.target}, ${subscribers.toLocaleString("en")} subscribers, at ${result.share} % of saturation (${Math.round(result.rounds[0]?.perSecond ?? 0).toLocaleString("en")} messages/s)`,
        measured: `p99 ${milliseconds(all)} ms, bare Bun.serve ${milliseconds(base)} ms: ${times.toFixed(2)} times, turn by turn`,
        target: isPromised ? `p99 at most ${MOST_TIMES} times` : "",
        met: !isPromised || times <= MOST_TIMES,
      },
    ];
  });
  const rounds = results.flatMap((result) => result.rounds);
  const disturbed = rounds.filter(({ othersShare }) => othersShare > DISTURBED_SHARE).length;
  return { findings, disturbance: `${disturbed} of ${rounds.length} rounds disturbed by others` };
}

/** Some rounds in one line. */
export function describeLatency(result: LatencyResult): string {
  const latencies = latenciesOf(result);
  const shown = SHARES.map((share) => `p${share * 100} ${milliseconds(percentileOf(latencies, share))}`);
  const pace = Math.round(result.rounds[0]?.perSecond ?? 0);
  return `${result.target}, ${result.share} % (${pace}/s): ${shown.join(", ")}, max ${milliseconds(latencies.max)} ms`;
}

/** The percentiles as one line of a chart: x is 1 in how many messages. */
export function latencyPoints(result: LatencyResult): LineChart["series"][number] {
  const latencies = latenciesOf(result);
  const most = Math.log10(Math.max(10, latencies.total / 10));
  const points: [number, number][] = [];
  for (let exponent = 0.1; exponent <= most; exponent += 0.1) {
    const one = 10 ** exponent;
    points.push([one, percentileOf(latencies, 1 - 1 / one)]);
  }
  return { name: result.target, points };
}

/** The results as a Markdown table. */
export function renderLatencyTable(results: readonly LatencyResult[]): string {
  const rows = results.map((result) => {
    const latencies = latenciesOf(result);
    const p99s = result.rounds.map(p99);
    const lateness = merge(result.rounds.map((round) => round.lateness));
    const median = (value: (round: PaceRound) => number): number =>
      summarise(result.rounds.map(value)).median;
    const crowd = median(({ crowdShare }) => crowdShare);
    const cells = [
      `${result.share} %`,
      result.target,
      Math.round(result.rounds[0]?.perSecond ?? 0).toLocaleString("en"),
      ...SHARES.map((share) => milliseconds(percentileOf(latencies, share))),
      milliseconds(latencies.max),
      `${milliseconds(Math.min(...p99s))}–${milliseconds(Math.max(...p99s))}`,
      milliseconds(percentileOf(lateness, 0.99)),
      percent(median(({ serverShare }) => serverShare)),
      percent(crowd),
      percent(median(({ othersShare }) => othersShare)),
      crowd >= BUSY_SHARE ? "generator-bound" : "",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| of saturation | server | messages/s | p50 ms | p90 ms | p99 ms | p99.9 ms | max ms | p99 by round | sent late p99 | server busy | generator busy | others | |",
    "| --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |",
    ...rows,
  ].join("\n");
}

/** The whole report as Markdown. */
export function renderLatency(
  report: Report & { leftOut: readonly string[] },
  targets: readonly Target[],
  results: readonly LatencyResult[],
  subscribers: number,
): string {
  return `${renderHead(report, describeTargets(targets))}

${renderLatencyTable(results)}

${subscribers.toLocaleString("en")} subscribers, messages of 200 bytes. The latency of a message is counted from when it should have been
sent, so that a stall counts for everything that it delays, at ${WITNESSES} subscribers that are spread over the order of
connecting; the others only receive and check. 100 % is the throughput with 20 in flight, for the hub and the first
server the lower of the two. "Sent late" is the part of it that the generator itself caused. "Busy" is CPU time ÷ time,
100 % being one core.
`;
}

function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
