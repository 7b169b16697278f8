import { call } from "./call.ts";

/** What must have happened to the measured hub, or the soak has not been one: series of `/metrics` that are not 0. */
const EXPECTED = [
  'vectra_slow_consumers_total{transport="websocket"}',
  'vectra_slow_consumers_total{transport="sse"}',
  'vectra_timeouts_total{type="client"}',
  'vectra_timeouts_total{type="worker"}',
  'vectra_resumes_total{outcome="resumed"}',
  'vectra_resumes_total{outcome="none"}',
  'vectra_resumes_total{outcome="evicted"}',
  'vectra_resumes_total{outcome="unknown"}',
  'vectra_commands_total{outcome="acknowledged"}',
  'vectra_commands_total{outcome="redelivered"}',
  'vectra_commands_total{outcome="expired"}',
  'vectra_auth_failures_total{reason="wrong"}',
  'vectra_refusals_total{reason="too_many_failures"}',
  'vectra_refusals_total{reason="client_auth"}',
  'vectra_refusals_total{reason="flood"}',
  "vectra_conflated_total",
];

/** @returns what is missing, and all counters with their values for the report */
export async function readCoverage(hub: { readonly url: string }): Promise<{
  readonly missing: readonly string[];
  readonly counters: readonly (readonly [string, number])[];
}> {
  const { body } = await call(hub, "/metrics");
  const values = new Map<string, number>();
  for (const line of body.split("\n")) {
    const space = line.lastIndexOf(" ");
    if (!line.startsWith("#") && space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  const missing = EXPECTED.filter((series) => (values.get(series) ?? 0) === 0);
  return { missing, counters: EXPECTED.map((series) => [series, values.get(series) ?? 0] as const) };
}
