import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describeMachine } from "./machine.ts";

/** One line of what a benchmark has found, for a reader who wants to know whether a promise holds. */
export interface Finding {
  what: string;
  measured: string;
  /** Empty where nothing was promised. */
  target: string;
  met: boolean;
}

/** What every benchmark leaves behind in `<name>.json`, beside numbers of its own. */
export interface Report {
  name: string;
  title: string;
  date: string;
  machine: string;
  /** How much of the machine others took meanwhile, in words. */
  disturbance: string;
  command: string;
  findings: Finding[];
}

/** The parts of a report that are the same for every benchmark. */
export function beginReport(name: string, title: string, argv: readonly string[]): Omit<Report, "findings"> {
  return {
    name,
    title,
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    disturbance: "",
    command: [`bun test/bench/${name}.ts`, ...argv].join(" "),
  };
}

function verdict(target: string, met: boolean): string {
  if (target === "") return "";
  return met ? "met" : "**missed**";
}

/** The findings as a Markdown table. */
export function renderFindings(findings: readonly Finding[]): string {
  const rows = findings.map(
    ({ what, measured, target, met }) => `| ${what} | ${measured} | ${target} | ${verdict(target, met)} |`,
  );
  return ["| what | measured | target | |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** How every report on several servers begins: where and how it was measured, on what, and what was found. */
export function renderHead(
  report: Report & { readonly leftOut: readonly string[] },
  servers: string,
): string {
  const absent = report.leftOut.length === 0 ? "" : ` Left out: ${report.leftOut.join("; ")}.`;
  return `# ${report.title}

${report.date}, on ${report.machine}; ${report.disturbance}.
Repeat it with \`${report.command}\`.${absent}

${servers}

${renderFindings(report.findings)}`;
}

/** Writes `<name>.json` and `<name>.md` and says so. */
export async function writeReport(report: Report, markdown: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, report.name);
  await Bun.write(`${path}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
  await Bun.write(`${path}.md`, markdown);
  note(`written: ${path}.json and ${path}.md`);
}

/** Writes `<name>.svg` and says so. */
export async function writeChart(name: string, svg: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${name}.svg`);
  await Bun.write(path, svg);
  note(`written: ${path}`);
}

/** The exit code: 1 where a target was missed and that was to be asserted. Names what was missed in any case. */
export function conclude(findings: readonly Finding[], assert: boolean): number {
  const missed = findings.filter(({ met }) => !met);
  for (const { what, measured, target } of missed) note(`missed: ${what}: ${measured}, target ${target}`);
  return assert && missed.length > 0 ? 1 : 0;
}

/** Runs a benchmark as a program: its exit code is the result, 2 where it could not be run. */
export async function runBenchmark(main: (argv: readonly string[]) => Promise<number>): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    note(`bench: ${(error as Error).message}`);
    process.exitCode = 2;
  }
}

export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
