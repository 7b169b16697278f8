import type { Config } from "../../config/schema.ts";
import type { Census } from "../../edge/census.ts";
import type { Registry } from "../../observe/prometheus.ts";
import type { Crew } from "./crew.ts";
import { TICK_MS } from "./crew.ts";
import type { Muster } from "./muster.ts";
import type { Seat } from "./seat.ts";

/** The thread that sends the canary: one for the whole process, through an edge, the core and back. */
export const CANARY_THREAD = 0;

/** The census of all edges. */
export function createCensus(
  config: Pick<Config, "CANARY_INTERVAL_MS">,
  seats: ReadonlySet<Seat>,
  muster: Pick<Muster, "gather">,
): Census {
  const probe = (): Seat | undefined => [...seats].find(({ thread }) => thread === CANARY_THREAD);
  /** An edge that does not even say how it is sends no canary, either. */
  const isMute = ({ silentTicks }: Seat): boolean =>
    silentTicks > 1 && silentTicks * TICK_MS > config.CANARY_INTERVAL_MS;

  const canary = {
    isOverdue() {
      const seat = probe();
      return seat === undefined || isMute(seat) || seat.report?.canary?.isOverdue === true;
    },
    roundTripSeconds: () => (canary.isOverdue() ? -1 : (probe()?.report?.canary?.roundTripSeconds ?? -1)),
  };
  return {
    take: muster.gather,
    connections() {
      const sum = { client: 0, clientStream: 0, worker: 0, sse: 0 };
      for (const { report } of seats) {
        if (report === undefined) continue;
        sum.client += report.client;
        sum.clientStream += report.clientStream;
        sum.worker += report.worker;
        sum.sse += report.sse;
      }
      return sum;
    },
    lagSeconds: () => Math.max(0, ...[...seats].map(({ report }) => report?.lagSeconds ?? 0)),
    canary: config.CANARY_INTERVAL_MS === 0 ? undefined : canary,
  };
}

/** What is shown only where there are several threads. */
export function registerThreadGauges(
  registry: Registry,
  seats: ReadonlySet<Seat>,
  crew: Pick<Crew, "restarts">,
): void {
  registry.gauge("vectra_thread_connections", "Open connections of each thread.", () =>
    Object.fromEntries(
      [...seats]
        .toSorted((a, b) => a.thread - b.thread)
        .map(({ thread, report }) => [
          `thread="${thread}"`,
          (report?.client ?? 0) + (report?.worker ?? 0) + (report?.sse ?? 0),
        ]),
    ),
  );
  registry.counted(
    "vectra_thread_restarts_total",
    "Threads that ended and were started anew.",
    crew.restarts,
  );
}
