import { call } from "./api.ts";
import type { Hub } from "./hub.ts";

/** The value of a series in `/metrics`, e.g. `vectra_refusals_total{reason="origin"}`; fails when it is not there. */
export async function seriesValue(hub: Hub, series: string): Promise<number> {
  const { body } = await call(hub, "/metrics");
  const line = body.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new Error(`no ${series} in:\n${body}`);
  return Number(line.slice(series.length + 1));
}

/** `vectra_refusals_total` of one reason. */
export function refusals(hub: Hub, reason: string): Promise<number> {
  return seriesValue(hub, `vectra_refusals_total{reason="${reason}"}`);
}
