import { barChart, chartColumn } from "../support/chart.ts";
import { type Finding, type Report, renderHead } from "./finding.ts";
import { describeTargets } from "./report.ts";
import { summarise } from "./statistics.ts";
import type { Target } from "./target.ts";

export interface StormRound {
  /** From the first connect until half of the clients, and until all of them, were told the status. */
  halfToldMs: number;
  allToldMs: number;
  /** Attempts that failed and were made again. */
  failedAttempts: number;
  /** The server's resident memory before, and with the idle connections. */
  restBytes: number;
  idleBytes: number;
  /** Shares of one core while the clients connected. */
  serverShare: number;
  generatorShare: number;
  othersShare: number;
}

export interface ConnectionsResult {
  target: string;
  isPeer: boolean;
  rounds: readonly StormRound[];
}

export interface ConnectionsReport extends Report {
  clients: number;
  atOnce: number;
  leftOut: readonly string[];
  results: readonly ConnectionsResult[];
}

const MOST_SECONDS = 3;
const MOST_BYTES_EACH = 3_000;
const MOST_REST_MEGABYTES = 60;
const MEGABYTE = 1_000_000;
const DISTURBED_SHARE = 0.3;

interface Numbers {
  seconds: number[];
  bytesEach: number[];
  restMegabytes: number[];
}

function numbersOf({ rounds }: ConnectionsResult, clients: number): Numbers {
  return {
    seconds: rounds.map(({ allToldMs }) => allToldMs / 1_000),
    bytesEach: rounds.map(({ idleBytes, restBytes }) => (idleBytes - restBytes) / clients),
    restMegabytes: rounds.map(({ restBytes }) => restBytes / MEGABYTE),
  };
}

const median = (values: readonly number[]): number => summarise(values).median;

/** What was promised of the hub, and how much others disturbed the storms. */
export function findConnections(
  results: readonly ConnectionsResult[],
  clients: number,
): { findings: Finding[]; disturbance: string } {
  const count = clients.toLocaleString("en");
  const findings = results.flatMap((result): Finding[] => {
    if (result.isPeer || !result.target.startsWith("hub")) return [];
    const { seconds, bytesEach, restMegabytes } = numbersOf(result, clients);
    return [
      {
        what: `connect storm, ${result.target}, ${count} clients at once, until each is told the status`,
        measured: `${median(seconds).toFixed(2)} s (median of ${seconds.length}, longest ${Math.max(...seconds).toFixed(2)} s)`,
        target: `under ${MOST_SECONDS} s`,
        met: median(seconds) < MOST_SECONDS,
      },
      {
        what: `memory for each of ${count} idle connections, ${result.target}`,
        measured: `${(median(bytesEach) / 1_000).toFixed(2)} KB`,
        target: `at most ${MOST_BYTES_EACH / 1_000} KB`,
        met: median(bytesEach) <= MOST_BYTES_EACH,
      },
      {
        what: `memory at rest, ${result.target}`,
        measured: `${median(restMegabytes).toFixed(1)} MB`,
        target: `at most ${MOST_REST_MEGABYTES} MB`,
        met: median(restMegabytes) <= MOST_REST_MEGABYTES,
      },
    ];
  });
  const rounds = results.flatMap((result) => result.rounds);
  const disturbed = rounds.filter(({ othersShare }) => othersShare > DISTURBED_SHARE).length;
  return { findings, disturbance: `${disturbed} of ${rounds.length} storms disturbed by others` };
}

/** The results as a Markdown table. */
export function renderConnectionsTable({ results, clients }: ConnectionsReport): string {
  const rows = results.map((result) => {
    const { seconds, bytesEach, restMegabytes } = numbersOf(result, clients);
    const share = (of: (round: StormRound) => number): string =>
      `${Math.round(median(result.rounds.map(of)) * 100)} %`;
    const cells = [
      result.target,
      median(seconds).toFixed(2),
      `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`,
      (median(result.rounds.map(({ halfToldMs }) => halfToldMs)) / 1_000).toFixed(2),
      median(restMegabytes).toFixed(1),
      (median(bytesEach) / 1_000).toFixed(2),
      `${(Math.min(...bytesEach) / 1_000).toFixed(2)}–${(Math.max(...bytesEach) / 1_000).toFixed(2)}`,
      String(median(result.rounds.map(({ failedAttempts }) => failedAttempts))),
      share(({ serverShare }) => serverShare),
      share(({ generatorShare }) => generatorShare),
      share(({ othersShare }) => othersShare),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| server | all told s | spread | half told s | at rest MB | KB each | spread | failed attempts | server busy | generator busy | others |",
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ...rows,
  ].join("\n");
}

/** How long the storm took and what the connections weigh, side by side. */
export function charts({ results, clients }: ConnectionsReport): string {
  const count = clients.toLocaleString("en");
  const chart = (title: string, yLabel: string, pick: (numbers: Numbers) => number[]): string =>
    barChart({
      title,
      yLabel,
      groups: results.map((result) => {
        const values = pick(numbersOf(result, clients));
        const spread = [Math.min(...values), Math.max(...values)] as const;
        return { name: result.target, bars: [{ name: yLabel, value: median(values), spread }] };
      }),
    });
  return chartColumn([
    chart(`${count} clients at once: until each is told the status`, "s", ({ seconds }) => seconds),
    chart(`Memory for each of ${count} idle connections`, "KB", ({ bytesEach }) =>
      bytesEach.map((bytes) => bytes / 1_000),
    ),
    chart("Memory at rest", "MB", ({ restMegabytes }) => restMegabytes),
  ]);
}

/** The whole report as Markdown. */
export function renderConnections(report: ConnectionsReport, targets: readonly Target[]): string {
  return `${renderHead(report, describeTargets(targets))}

${renderConnectionsTable(report)}

${report.clients.toLocaleString("en")} clients connect to a server that was started for it, ${report.atOnce.toLocaleString("en")} handshakes at a time, and the clock stops
when the last of them was sent the worker's status (Nchan, which greets nobody: when it was let in). Then the connections
are left idle, and what the server's resident memory has grown by is divided by their number; the kernel's memory for
sockets is not in it. "Failed attempts" are those that were made again. Each line is the median of its storms. "Busy" is CPU time ÷ time, 100 % being one core.
`;
}
