import { type Finding, type Report, renderFindings } from "./finding.ts";
import type { StormResult } from "./generator/storm.ts";
import { percentile } from "./statistics.ts";

export interface StormRound extends StormResult {
  /** The bystander's, while the storm lasted. */
  latenciesMs: number[];
  /** Until all were live. */
  seconds: number;
  hubSeconds: number;
  /** The storm's, the bystander's and the bench's own CPU time. */
  generatorSeconds: number;
  /** CPU time of everybody, all cores together. */
  machineSeconds: number;
}

export interface Storms {
  /** The bystander's latencies without a storm. */
  calmMs: number[];
  rounds: StormRound[];
}

const LATENCY_LIMIT_MS = 250;

/** What was promised of a resume storm, and how much of the machine was anybody's. */
export function findStorms(
  { calmMs, rounds }: Storms,
  { clients, missed, perSecond }: { clients: number; missed: number; perSecond: number },
): { findings: Finding[]; disturbance: string } {
  const latenciesMs = rounds.flatMap((round) => round.latenciesMs);
  const durations = rounds.map(({ seconds }) => seconds);
  const p99Ms = percentile(latenciesMs, 0.99);
  const who = `${clients.toLocaleString("en")} clients that each missed ${missed.toLocaleString("en")} messages`;
  const others = rounds.map(othersShare);
  return {
    findings: [
      {
        what: `resume of ${who}, until all are live`,
        measured: `${percentile(durations, 0.5).toFixed(2)} s (median of ${rounds.length} storms, longest ${Math.max(...durations).toFixed(2)} s)`,
        target: "",
        met: true,
      },
      {
        what: `live latency of a bystander meanwhile, ${perSecond} messages/s`,
        measured: `${describeLatencies(latenciesMs)}, of ${latenciesMs.length}; without a storm ${describeLatencies(calmMs)}`,
        target: `p99 below ${LATENCY_LIMIT_MS} ms`,
        met: p99Ms < LATENCY_LIMIT_MS,
      },
    ],
    disturbance: `others took ${percent(percentile(others, 0.5))} of a core in the median storm and ${percent(Math.max(...others))} in the worst`,
  };
}

/** What everybody else took of the machine's cores meanwhile. Ticks of 10 ms make this coarse. */
function othersShare({ machineSeconds, hubSeconds, generatorSeconds, seconds }: StormRound): number {
  return Math.max(0, machineSeconds - hubSeconds - generatorSeconds) / seconds;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Some storms in one line. */
export function describeStorms(name: string, rounds: readonly StormRound[]): string {
  const seconds = Math.max(...rounds.map((round) => round.seconds));
  const hubShare = Math.max(...rounds.map((round) => round.hubSeconds / round.seconds));
  const latenciesMs = rounds.flatMap((round) => round.latenciesMs);
  return `${name}: all live after ${seconds.toFixed(2)} s, hub busy ${percent(hubShare)}, bystander ${describeLatencies(latenciesMs)}`;
}

function describeLatencies(values: readonly number[]): string {
  const p50 = percentile(values, 0.5);
  const p99 = percentile(values, 0.99);
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${Math.max(...values).toFixed(1)} ms`;
}

/** The whole report as Markdown. */
export function renderStorms(report: Report & Storms, command: string): string {
  const rows = report.rounds.map((round, index) => {
    const cells = [
      String(index + 1),
      round.seconds.toFixed(2),
      (percentile(round.liveAfterMs, 0.5) / 1_000).toFixed(2),
      Math.round(round.replayed / round.seconds).toLocaleString("en"),
      percent(round.hubSeconds / round.seconds),
      percent(round.generatorSeconds / round.seconds),
      percent(othersShare(round)),
      ...[0.5, 0.99, 1].map((share) => percentile(round.latenciesMs, share).toFixed(1)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `# ${report.title}

${report.date}, on ${report.machine}; ${report.disturbance}.
Repeat it with \`${report.command}\`. The hub: \`${command}\`

${renderFindings(report.findings)}

| storm | all live s | half live s | replayed/s | hub busy | generators busy | others | p50 ms | p99 ms | max ms |
| ----: | ---------: | ----------: | ---------: | -------: | --------------: | -----: | -----: | -----: | -----: |
${rows.join("\n")}

All clients connect at once, stream-framed and with the cursor of the last message before those that they missed. "Busy" is
CPU time ÷ time, 100 % being one core. The latencies are a bystander's, who was live all along, from when each message
should have been sent. Every client's messages were checked to be complete, in order and without duplicates, from the first
that it missed to the last that was published.
`;
}
