import type { Result } from "./result.ts";

export interface Report {
  date: string;
  machine: string;
  command: string;
  targets: { name: string; command: string }[];
  results: Result[];
}

const HEADINGS = [
  "subscribers",
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
    widths.map((width, column) => (column === 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)),
  );
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

/** The whole report as Markdown: what was measured, on what, how to repeat it, and how to read it. */
export function renderMarkdown(report: Report): string {
  return `# Fan-out

${report.date}, on ${report.machine}.
Repeat it with \`${report.command}\`.

${report.targets.map(({ name, command }) => `- ${name}: \`${command}\``).join("\n")}

${renderTable(report.results)}

One publisher keeps the given number of 200-byte messages in flight; a message counts as delivered to all when the
last subscriber has read it. Servers take turns in short rounds, and a round that something else on the machine
disturbed is repeated. Each line is the median of its rounds, and its spread is the distance between the
largest and the smallest of them. "Busy" is CPU time ÷ time, 100 % being one core; "others" is what the rest of the
machine took. "Per read" is how many deliveries one read of a subscriber brought. "Ratio" is the first server's time per
delivery divided by this one's, turn by turn, and of that the median (1 is as fast as it, below 1 is slower); "CPU
ratio" is the same of the server's CPU time. Every subscriber's messages were checked to be complete, in order and without duplicates.
`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function pad(cell: string, width: number, column: number): string {
  return column === 2 ? cell.padEnd(width) : cell.padStart(width);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
