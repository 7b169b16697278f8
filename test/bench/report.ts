import { type Report, renderFindings } from "./finding.ts";
import type { Framing } from "./generator/receiver.ts";
import type { Result } from "./result.ts";
import { describeCommand, type Target } from "./target.ts";

export const FRAMING_NAMES: Readonly<Record<Framing, string>> = {
  raw: "raw framing",
  stream: "stream framing",
  sse: "SSE",
};

const PEERS_REMARK =
  "Of servers that are not the hub's there are fewer rounds, and where one would take minutes, fewer messages in flight. ";

/** Columns of text, which stand at the left. */
const TEXT_COLUMNS = [1, 3];

const HEADINGS = [
  "subscribers",
  "framing",
  "in flight",
  "server",
  "µs/delivery",
  "spread",
  "deliveries/s",
  "server CPU µs",
  "spread",
  "server busy",
  "generator busy",
  "others",
  "per read",
  "ratio",
  "CPU ratio",
  "",
];

function row(result: Result): string[] {
  const { microsecondsPerDelivery: wall, serverCpuMicrosecondsPerDelivery: cpu } = result;
  return [
    result.subscribers.toLocaleString("en"),
    result.framing,
    String(result.inFlight),
    result.target,
    wall.median.toFixed(2),
    percent(wall.spread),
    Math.round(result.deliveriesPerSecond).toLocaleString("en"),
    cpu.median.toFixed(2),
    percent(cpu.spread),
    percent(result.serverShare),
    percent(result.generatorShare),
    percent(result.othersShare),
    result.deliveriesPerRead.toFixed(1),
    result.throughputRatio.toFixed(2),
    result.cpuRatio.toFixed(2),
    remarks(result),
  ];
}

function remarks(result: Result): string {
  const remarks: string[] = [];
  if (result.underWay < result.inFlight) remarks.push(`only ${result.underWay} in flight`);
  if (result.generatorBound) remarks.push("generator-bound");
  if (result.disturbedRounds > 0) remarks.push(`${result.disturbedRounds} rounds disturbed`);
  return remarks.join(", ");
}

/** The results as a table for a terminal that is also a Markdown table. */
export function renderTable(results: readonly Result[]): string {
  const rows = [HEADINGS, ...results.map(row)];
  const widths = HEADINGS.map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)));
  const lines = rows.map((cells) =>
    line(cells.map((cell, column) => pad(cell, widths[column] ?? 0, column))),
  );
  const rule = line(
    widths.map((width, column) =>
      TEXT_COLUMNS.includes(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
    ),
  );
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

/** What was loaded how, in words. */
export function describeLoad({ framing, subscribers, inFlight }: Result): string {
  return `${FRAMING_NAMES[framing]}, ${subscribers.toLocaleString("en")} subscribers, ${inFlight} in flight`;
}

/** How much others disturbed the rounds, in words. */
export function describeDisturbance(results: readonly Result[]): string {
  const rounds = results.reduce((sum, result) => sum + result.rounds.length, 0);
  const disturbed = results.reduce((sum, result) => sum + result.disturbedRounds, 0);
  const most = Math.max(...results.map(({ othersShare }) => othersShare));
  return `${disturbed} of ${rounds} rounds disturbed by others, who took at most ${percent(most)} of a core in the median`;
}

/** What each name in a table stands for. */
export function describeTargets(targets: readonly Target[]): string {
  return targets
    .map((target) => {
      const peer = target.peer === undefined ? "" : `${target.peer}, `;
      return `- ${target.name}: ${peer}\`${describeCommand(target)}\``;
    })
    .join("\n");
}

/** The whole report as Markdown: what was measured, on what, how to repeat it, and how to read it. */
export function renderLoadMarkdown(
  report: Report,
  targets: readonly Target[],
  results: readonly Result[],
  remark = "",
): string {
  const peers = targets.some(({ peer }) => peer !== undefined);
  return `# ${report.title}

${report.date}, on ${report.machine}; ${report.disturbance}.
Repeat it with \`${report.command}\`. ${remark}

${describeTargets(targets)}

${renderFindings(report.findings)}

${renderTable(results)}

One publisher keeps the given number of 200-byte messages in flight; a message counts as delivered to all when the
last subscriber has read it. Servers take turns in short rounds, and a round that something else on the machine
disturbed is repeated. Each line is the median of its rounds, and its spread is the distance between the
largest and the smallest of them. "Busy" is CPU time ÷ time, 100 % being one core; "others" is what the rest of the
machine took. ${peers ? PEERS_REMARK : ""}"Per read" is how many deliveries one read of a subscriber brought. "Ratio" is the first server's time per
delivery divided by this one's, turn by turn, and of that the median (1 is as fast as it, below 1 is slower); "CPU
ratio" is the same of the server's CPU time. Every subscriber's messages were checked to be complete, in order and without duplicates.
`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function pad(cell: string, width: number, column: number): string {
  return TEXT_COLUMNS.includes(column) ? cell.padEnd(width) : cell.padStart(width);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
