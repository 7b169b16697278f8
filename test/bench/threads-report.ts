import { type Finding, type Report, renderFindings } from "./finding.ts";
import { merge, percentileOf } from "./histogram.ts";
import type { PaceRound } from "./open-loop.ts";
import { describeTargets, renderTable } from "./report.ts";
import type { Result } from "./result.ts";
import { summarise } from "./statistics.ts";
import type { Target } from "./target.ts";

/** What one number of threads has shown beside its fan-out. */
export interface ThreadsResult {
  threads: number;
  /** For each start, the connections of each thread. */
  connections: readonly (readonly number[])[];
  /** At a low pace. */
  latency: readonly PaceRound[];
  /** At a pace that leaves every core some rest, in bursts. */
  paced: readonly Pick<PaceRound, "perSecond" | "serverCpuMicroseconds" | "serverShare" | "othersShare">[];
  /** Resident memory while idle, one for each start. */
  idleBytes: readonly number[];
}

/** How many messages are sent at once where CPU time is taken. */
export const BURST = 20;
const MOST_CPU = 1.1;
/** Of one core. */
const DISTURBED_SHARE = 0.3;
const MOST_UNBALANCED = 0.2;

/** How far the thread with most or least connections is from an even share: 0 is even, 1 is one with twice as many or none. */
export function unbalance(connections: readonly number[]): number {
  const even = connections.reduce((sum, each) => sum + each, 0) / connections.length;
  return Math.max(...connections.map((each) => Math.abs(each - even) / even));
}

/** The server's CPU time for each delivery ÷ the baseline's, turn by turn, and of that the median. */
export function timesCpu(
  baseline: readonly Pick<PaceRound, "serverCpuMicroseconds">[],
  rounds: readonly Pick<PaceRound, "serverCpuMicroseconds">[],
): number {
  const base = baseline.map(({ serverCpuMicroseconds }) => serverCpuMicroseconds);
  const times = rounds.map((round, turn) => round.serverCpuMicroseconds / (base[turn] ?? Number.NaN));
  return summarise(times).median;
}

/** How much others disturbed the rounds, in words. */
export function describeThreadsDisturbance(results: readonly ThreadsResult[]): string {
  const rounds = results.flatMap(({ paced }) => paced);
  const disturbed = rounds.filter(({ othersShare }) => othersShare > DISTURBED_SHARE).length;
  return `${disturbed} of ${rounds.length} rounds disturbed by others`;
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
export function findThreads(results: readonly ThreadsResult[], subscribers: number): Finding[] {
  const [first] = results;
  const found = results.slice(1).flatMap(({ threads, connections, latency, paced }): Finding[] => {
    const times = timesCpu(first?.paced ?? [], paced);
    const worst = Math.max(...connections.map(unbalance));
    const total = connections[0]?.reduce((sum, each) => sum + each, 0) ?? 0;
    const [p50, p99] = [0.5, 0.99].map((share) => addedMs(first?.latency ?? [], latency, share));
    return [
      {
        what: `CPU per delivery, ${nameOfThreads(threads)}, ${subscribers.toLocaleString("en")} subscribers, ${paced[0]?.perSecond} messages/s`,
        measured: `${times.toFixed(2)} of one thread's`,
        target: `at most ${MOST_CPU} of it`,
        met: times <= MOST_CPU,
      },
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
  return [...found, ...(Number.isNaN(perThread) ? [] : [memory])];
}

export function renderThreads(
  report: Report,
  targets: readonly Target[],
  fanout: readonly Result[],
  results: readonly ThreadsResult[],
): string {
  const rows = results.map(({ threads, connections, latency, paced, idleBytes }) => {
    const latencies = merge(latency.map((round) => round.latencies));
    const cpu = summarise(paced.map(({ serverCpuMicroseconds }) => serverCpuMicroseconds));
    const cells = [
      nameOfThreads(threads),
      cpu.median.toFixed(2),
      percent(cpu.spread),
      percent(summarise(paced.map(({ serverShare }) => serverShare)).median),
      ...[0.5, 0.99].map((share) => percentileOf(latencies, share).toFixed(3)),
      megabytes(summarise(idleBytes).median),
      connections.map((each) => each.join("+")).join(", "),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `# ${report.title}

${report.date}, on ${report.machine}; ${report.disturbance}.
Repeat it with \`${report.command}\`.

${describeTargets(targets)}

${renderFindings(report.findings)}

| threads | server CPU µs per delivery | spread | server busy | p50 ms | p99 ms | idle | connections of each, by start |
| --- | --: | --: | --: | --: | --: | --: | --- |
${rows.join("\n")}

The server's CPU is that of all its threads (/proc/pid/task), at a pace that leaves every core some rest, in bursts of
${BURST} messages, so that with any number of threads a subscriber is sent as many at once. Every connection gets every
message, so that a thread's share of the connections is its share of the deliveries; it is what its event loop watches
(/proc/pid/fdinfo). Latencies are at ${latencyPace(results)} messages/s, from when each should have been sent, and what threads add to them is
the median of the differences by turns.

As fast as it goes, where server and load share the machine's cores:

${renderTable(fanout)}

In this closed loop a message is replaced when its last subscriber has it. The threads of a server are never done at the
same time, so that the more there are, the fewer messages each write holds ("per read"), and the more writes there are.
`;
}

function latencyPace(results: readonly ThreadsResult[]): number {
  return results[0]?.latency[0]?.perSecond ?? 0;
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
