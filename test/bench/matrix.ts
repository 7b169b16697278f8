import { type BarChart, barChart, chartColumn } from "../support/chart.ts";
import type { Framing } from "./generator/receiver.ts";
import { FRAMING_NAMES } from "./report.ts";
import type { Result } from "./result.ts";

/** The fan-out results side by side: one line for each load, one column for each server. */
export function renderMatrix(results: readonly Result[]): string {
  const servers = [...new Set(results.map(({ target }) => target))];
  const lines = loads(results).map(([first, ...rest]) => {
    const load = `${FRAMING_NAMES[first.framing]}, ${first.subscribers.toLocaleString("en")} × ${first.inFlight}`;
    const cells = servers.map((server) => cell([first, ...rest].find(({ target }) => target === server)));
    return `| ${[load, ...cells].join(" | ")} |`;
  });
  const rule = ["---", ...servers.map(() => "---:")];
  return [`| subscribers × in flight | ${servers.join(" | ")} |`, `| ${rule.join(" | ")} |`, ...lines].join(
    "\n",
  );
}

/** Thousands of deliveries a second. */
function cell(result: Result | undefined): string {
  if (result === undefined) return "";
  const marks = [
    result.underWay < result.inFlight ? ` (${result.underWay} in flight)` : "",
    result.generatorBound ? " (generator-bound)" : "",
  ];
  return `${Math.round(result.deliveriesPerSecond / 1_000).toLocaleString("en")}${marks.join("")}`;
}

/** One chart below the other for each number of messages in flight, on a logarithmic scale. */
export function fanoutChart(results: readonly Result[], framing: Framing): string {
  const own = results.filter((result) => result.framing === framing);
  return chartColumn(
    [...new Set(own.map(({ inFlight }) => inFlight))].map((inFlight) => {
      const shown = own.filter((result) => result.inFlight === inFlight);
      const chart: BarChart = {
        title: `Fan-out, ${FRAMING_NAMES[framing]}, ${inFlight} messages of 200 bytes in flight`,
        yLabel: "thousand deliveries/s",
        logY: true,
        groups: loads(shown).map((group) => ({
          name: `${group[0].subscribers.toLocaleString("en")} subscribers`,
          bars: group.map(bar),
        })),
      };
      return barChart(chart);
    }),
  );
}

function bar({ target, rounds, deliveriesPerSecond }: Result): BarChart["groups"][number]["bars"][number] {
  const rates = rounds.map(({ deliveries, seconds }) => deliveries / seconds / 1_000);
  const spread = [Math.min(...rates), Math.max(...rates)] as const;
  return { name: target, value: deliveriesPerSecond / 1_000, spread };
}

type Load = [Result, ...Result[]];

/** The results by framing, subscribers and messages in flight, in the order in which they were measured. */
function loads(results: readonly Result[]): Load[] {
  const found = new Map<string, Load>();
  for (const result of results) {
    const key = `${result.framing} ${result.subscribers} ${result.inFlight}`;
    const load = found.get(key);
    if (load === undefined) found.set(key, [result]);
    else load.push(result);
  }
  return [...found.values()];
}
