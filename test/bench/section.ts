/** What the README shows of a run, from the reports that it has left behind. */
import { join } from "node:path";
import { type ConnectionsReport, renderConnectionsTable } from "./connections-report.ts";
import { type Report, renderFindings } from "./finding.ts";
import { type LatencyResult, renderLatencyTable } from "./latency-report.ts";
import { renderMatrix } from "./matrix.ts";
import { describeTargets } from "./report.ts";
import type { Result } from "./result.ts";
import type { Target } from "./target.ts";

/** The benchmarks whose reports make up the section, in the order in which it shows them. */
export const REPORT_NAMES = [
  "footprint",
  "fanout",
  "latency",
  "connections",
  "sse",
  "history",
  "resume",
  "threads",
  "redis",
];

interface FanoutReport extends Report {
  targets: readonly Target[];
  leftOut: readonly string[];
  results: readonly Result[];
}

interface LatencyReport extends Report {
  subscribers: number;
  results: readonly LatencyResult[];
}

/**
 * The reports of these benchmarks, as `writeReport` has written them.
 * @throws where one is missing
 */
export async function readReports(folder: string, names: readonly string[]): Promise<Report[]> {
  return await Promise.all(
    names.map(async (name) => (await Bun.file(join(folder, `${name}.json`)).json()) as Report),
  );
}

/**
 * The Markdown between the README's marks: when and on what it was measured, each promise beside what was measured, and
 * the servers side by side.
 */
export function renderSection(reports: readonly Report[], command: string): string {
  const [first] = reports;
  const fanout = reports.find(({ name }) => name === "fanout") as FanoutReport | undefined;
  const latency = reports.find(({ name }) => name === "latency") as LatencyReport | undefined;
  const connections = reports.find(({ name }) => name === "connections") as ConnectionsReport | undefined;
  const others = reports
    .filter(({ date, machine }) => date !== first?.date || machine !== first.machine)
    .map(({ title, date, machine }) => `${title} on ${date}, on ${machine}.`);
  const paragraphs = [
    [
      `Measured on ${first?.date}, on ${first?.machine}, over loopback, with 200-byte messages.`,
      ...others,
      `Repeat it with \`${command}\`.`,
    ].join(" "),
    renderFindings(reports.flatMap(({ findings }) => findings)),
  ];
  if (fanout !== undefined) {
    paragraphs.push(
      describeTargets(fanout.targets),
      ...(fanout.leftOut.length === 0 ? [] : [`Left out: ${fanout.leftOut.join("; ")}.`]),
      "Fan-out, in thousands of deliveries a second, medians:",
      renderMatrix(fanout.results),
    );
  }
  if (latency !== undefined) {
    paragraphs.push(
      `Latency with ${latency.subscribers.toLocaleString("en")} subscribers, from when each message should have been sent:`,
      renderLatencyTable(latency.results),
    );
  }
  if (connections !== undefined) {
    paragraphs.push(
      `${connections.clients.toLocaleString("en")} clients that connect at once and then stay idle:`,
      renderConnectionsTable(connections),
    );
  }
  paragraphs.push(`${reports.map(({ title, disturbance }) => `${title}: ${disturbance}`).join(". ")}.`);
  return `${paragraphs.join("\n\n")}\n`;
}

const BEGIN = "<!-- measured: make bench -->\n";
const END = "<!-- end of measured -->";

/**
 * The README with `section` between its marks.
 * @throws where the marks are missing, doubled or in the wrong order
 */
export function withSection(readme: string, section: string): string {
  const parts = readme.split(BEGIN);
  const [before, rest] = parts;
  const [, after, ...more] = rest?.split(END) ?? [];
  if (parts.length !== 2 || after === undefined || more.length > 0) {
    throw new Error(`README.md needs one ${BEGIN.trim()} and one ${END} behind it`);
  }
  return `${before}${BEGIN}${section}${END}${after}`;
}
