import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chartColumn, type LineChart, lineChart } from "../support/chart.ts";
import { type Figure, pointsOf, type Sample } from "./samples.ts";
import type { Outcome } from "./soak.ts";

/** Writes chart.svg, samples.csv and summary.md. @returns the summary */
export async function writeReport(outcome: Outcome, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const summary = summaryOf(outcome);
  await Promise.all([
    Bun.write(join(folder, "chart.svg"), chartOf(outcome)),
    Bun.write(join(folder, "samples.csv"), csvOf(outcome.samples)),
    Bun.write(join(folder, "summary.md"), summary),
  ]);
  return summary;
}

const PANELS: readonly { title: string; yLabel: string; lines: readonly (readonly [string, Figure])[] }[] = [
  {
    title: "Memory of the measured hub",
    yLabel: "MB",
    lines: [
      ["anonymous", "memoryMb"],
      ["all resident", "residentMb"],
    ],
  },
  {
    title: "Sockets and connections of the measured hub",
    yLabel: "open",
    lines: [
      ["sockets", "sockets"],
      ["WebSocket clients", "websocketClients"],
      ["SSE clients", "sseClients"],
    ],
  },
  {
    title: "Tables of the measured hub",
    yLabel: "entries",
    lines: [
      ["history", "historyMessages"],
      ["idempotency keys", "idempotencyKeys"],
      ["waiting commands", "commandsWaiting"],
    ],
  },
  {
    title: "Load on the measured hub",
    yLabel: "messages per second",
    lines: [
      ["delivered", "deliveredPerS"],
      ["published", "publishedPerS"],
    ],
  },
];

function chartOf({ samples, lives, baseS, seed, minutes }: Outcome): string {
  const minutesOf = (points: readonly (readonly [number, number])[]) =>
    points.map(([atS, value]) => [atS / 60, value] as const);
  const marks = [{ x: baseS / 60, name: "growth is judged from here on" }];
  const panel = (about: Pick<LineChart, "title" | "yLabel" | "series">): string =>
    lineChart({ ...about, xLabel: "minutes", marks });
  return chartColumn([
    ...PANELS.map(({ title, yLabel, lines }, at) =>
      panel({
        title: at === 0 ? `${title} (${minutes} minutes, seed ${seed})` : title,
        yLabel,
        series: lines.map(([name, figure]) => ({ name, points: minutesOf(pointsOf(samples, figure)) })),
      }),
    ),
    panel({
      title: "The restarted hub at the end of each life",
      yLabel: "MB",
      series: [
        { name: "memory", points: minutesOf(lives.map(({ endS, memoryMb }) => [endS, memoryMb])) },
        { name: "history file", points: minutesOf(lives.map(({ endS, fileMb }) => [endS, fileMb])) },
      ],
    }),
  ]);
}

function csvOf(samples: readonly Sample[]): string {
  const names = Object.keys(samples[0] ?? {}) as Figure[];
  const rows = samples.map((sample) => names.map((name) => Number(sample[name].toFixed(3))).join(","));
  return [names.join(","), ...rows, ""].join("\n");
}

function summaryOf(outcome: Outcome): string {
  const { seed, minutes, baseS, findings, faults, faultCount, counts, rests, cpuShare, passed } = outcome;
  const [before, after] = rests;
  const verdict = passed ? "passed: nothing grew, nothing was wrong" : "FAILED";
  return [
    `# Soak: ${verdict}`,
    "",
    `${minutes} minutes, seed ${seed}; growth is judged from minute ${number(baseS / 60)} on. On average the hub took ` +
      `${number(cpuShare.hub)} of a core and the load ${number(cpuShare.load)}. Again: bun test/soak/main.ts --minutes ${minutes} --seed ${seed}`,
    "",
    "| what | first quarter | last quarter | trend | may grow by | verdict |",
    "| --- | --- | --- | --- | --- | --- |",
    ...findings.map(
      ({ what, unit, first, last, trend, allowance, isGrowth }) =>
        `| ${what}${unit === "" ? "" : `, ${unit}`} | ${number(first)} | ${number(last)} | ${number(trend)} | ${number(allowance)} | ${isGrowth ? "**GROWS**" : "flat"} |`,
    ),
    "",
    "| at rest | before the load | after it |",
    "| --- | --- | --- |",
    `| sockets | ${before.sockets} | ${after.sockets} |`,
    `| files | ${before.files} | ${after.files} |`,
    `| wake-ups per second (timers that repeat) | ${number(before.wakeUpsPerS)} | ${number(after.wakeUpsPerS)} |`,
    `| memory, MB | ${number(before.memoryMb)} | ${number(after.memoryMb)} |`,
    "",
    ...(faultCount === 0 ? [] : [`${faultCount} faults:`, "", ...faults.map((what) => `- ${what}`), ""]),
    "| what happened | times |",
    "| --- | --- |",
    ...counts.map(([what, times]) => `| ${what} | ${times} |`),
    "",
  ].join("\n");
}

function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 1 });
}
