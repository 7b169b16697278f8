import { type Finding, type Report, renderFindings } from "./finding.ts";
import { merge, percentileOf } from "./histogram.ts";
import type { PaceRound } from "./open-loop.ts";
import { describeLoad, describeTargets, renderTable } from "./report.ts";
import { inPairs, type Result } from "./result.ts";
import { summarise } from "./statistics.ts";
import type { Target } from "./target.ts";

/** What one number of threads has shown beside its fan-out. */
export interface ThreadsResult {
  threads: number;
  /** For each start, the connections of each thread. */
  connections: readonly (readonly number[])[];
  /** At a low pace. */
  latency: readonly PaceRound[];
  /** Resident memory while idle, one for each start. */
  idleBytes: readonly number[];
}

const MOST_CPU = 1.1;
const MOST_UNBALANCED = 0.2;

/** How far the thread with most or least connections is from an even share: 0 is even, 1 is one with twice as many or none. */
export function unbalance(connections: readonly number[]): number {
  const even = connections.reduce((sum, each) => sum + each, 0) / connections.length;
  return Math.max(...connections.map((each) => Math.abs(each - even) / even));
}

/** By how many ms the percentile is above the baseline's, turn by turn, and of that the median. */
export function addedMs(
  baseline: readonly Pick<PaceRound, "latencies">[],
  rounds: readonly Pick<PaceRound, "latencies">[],
  share: number,
): number {
  const base = baseline.map(({ latencies }) => percentileOf(latencies, share));
  const added = rounds.map(
    ({ latencies }, turn) => percentileOf(latencies, share) - (base[turn] ?? Number.NaN),
  );
  return summarise(added).median;
}

/** What each further thread takes, in bytes: between the fewest that are several and the most that were measured. */
export function bytesPerThread(results: readonly Pick<ThreadsResult, "threads" | "idleBytes">[]): number {
  const several = results
    .filter(({ threads }) => threads > 1)
    .sort((left, right) => left.threads - right.threads);
  const [least, most] = [several[0], several.at(-1)];
  if (least === undefined || most === undefined || least === most) return Number.NaN;
  const grown = most.idleBytes.map((bytes, turn) => bytes - (least.idleBytes[turn] ?? Number.NaN));
  return summarise(grown).median / (most.threads - least.threads);
}

export function nameOfThreads(threads: number): string {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

/** What was promised of several threads, beside what they do. */
export function findThreads(fanout: readonly Result[], results: readonly ThreadsResult[]): Finding[] {
  const cpu = inPairs(fanout).map(([, result]): Finding => {
    const times = 1 / result.cpuRatio;
    return {
      what: `CPU per delivery, ${result.target}, ${describeLoad(result)}`,
      measured: `${times.toFixed(2)} of one thread's, ${result.throughputRatio.toFixed(2)} of its throughput`,
      target: `at most ${MOST_CPU} of its CPU`,
      met: times <= MOST_CPU,
    };
  });
  const [first] = results;
  const others = results.slice(1).flatMap(({ threads, connections, latency }): Finding[] => {
    const worst = Math.max(...connections.map(unbalance));
    const total = connections[0]?.reduce((sum, each) => sum + each, 0) ?? 0;
    const [p50, p99] = [0.5, 0.99].map((share) => addedMs(first?.latency ?? [], latency, share));
    return [
      {
        what: `balance, ${nameOfThreads(threads)}, ${total.toLocaleString("en")} connections, ${connections.length} starts`,
        measured: `at most ${percent(worst)} from an even share`,
        target: `at most ${percent(MOST_UNBALANCED)}`,
        met: worst <= MOST_UNBALANCED,
      },
      {
        what: `latency that ${nameOfThreads(threads)} add, at ${latency[0]?.perSecond} messages/s`,
        measured: `${signedMs(p50)} at the median, ${signedMs(p99)} at p99`,
        target: "",
        met: true,
      },
    ];
  });
  const perThread = bytesPerThread(results);
  const memory = {
    what: "memory of a further thread, idle",
    measured: megabytes(perThread),
    target: "",
    met: true,
  };
  return [...cpu, ...others, ...(Number.isNaN(perThread) ? [] : [memory])];
}

export function renderThreads(
  report: Report,
  targets: readonly Target[],
  fanout: readonly Result[],
  results: readonly ThreadsResult[],
): string {
  const rows = results.map(({ threads, connections, latency, idleBytes }) => {
    const latencies = merge(latency.map((round) => round.latencies));
    const shares = connections.map((each) => each.join("+")).join(", ");
    const cells = [
      nameOfThreads(threads),
      shares,
      ...[0.5, 0.99].map((share) => percentileOf(latencies, share).toFixed(3)),
      megabytes(summarise(idleBytes).median),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `# ${report.title}

${report.date}, on ${report.machine}; ${report.disturbance}.
Repeat it with \`${report.command}\`.

${describeTargets(targets)}

${renderFindings(report.findings)}

${renderTable(fanout)}

| threads | connections of each, by start | p50 ms | p99 ms | idle |
| --- | --- | --: | --: | --: |
${rows.join("\n")}

The server's CPU is that of all its threads (/proc/pid/task). Where the load and the server share few cores, more threads
deliver no more: what counts is that a delivery costs the same. Every connection gets every message, so that a thread's
share of the connections is its share of the deliveries; it is what its event loop watches (/proc/pid/fdinfo). Latencies
are at a low pace, from when each message should have been sent, and what threads add to them is the median of the
differences by turns.
`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function signedMs(ms: number | undefined): string {
  const value = ms ?? Number.NaN;
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
