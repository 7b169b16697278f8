import type { Backplane, Figures, WorkerState } from "../backplane/backplane.ts";
import { processFigures } from "../observe/figures.ts";
import type { Registry } from "../observe/prometheus.ts";
import type { Runtime } from "../runtime.ts";
import { COMMIT, VERSION } from "../version.ts";
import type { Census } from "./census.ts";

export interface GaugesOptions {
  readonly runtime: Runtime;
  readonly census: Census;
  readonly status: Backplane["status"];
  readonly figures: Figures;
  /** As it was when the page was asked for. */
  readonly worker: () => WorkerState["worker"];
  readonly registry: Registry;
  readonly worstLagSeconds: () => number;
  /** Wall clock. */
  readonly startedMs: number;
}

/** Registers what is not counted but read when Prometheus asks. */
export function registerGauges({
  runtime,
  census,
  status,
  figures,
  worker,
  registry,
  worstLagSeconds,
  startedMs,
}: GaugesOptions): void {
  registry.gauge("vectra_connections", "Open connections.", () => {
    const { client, worker, sse } = census.connections();
    return {
      'type="client",transport="websocket"': client,
      'type="client",transport="sse"': sse,
      'type="worker",transport="websocket"': worker,
    };
  });
  registry.gauge("vectra_worker_online", "1 while a worker is online.", () =>
    status().status === "online" ? 1 : 0,
  );
  registry.gauge(
    "vectra_worker_last_seen_seconds",
    "Since something last came from the worker; -1 without one.",
    () => {
      const newest = worker();
      return newest === undefined ? -1 : (runtime.nowMs() - newest.lastSeenAtMs) / 1000;
    },
  );
  registry.counted("vectra_conflated_total", "Messages superseded by conflation.", () => figures.conflated());
  registry.gauge("vectra_commands_waiting", "Commands that wait for the worker.", () => figures.waiting());
  registry.gauge("vectra_history_messages", "Messages held.", () => figures.fill().messages);
  registry.gauge("vectra_history_bytes", "Bytes of the messages held.", () => figures.fill().bytes);
  registry.gauge("vectra_history_writable", "0 while nothing can be added to the history.", () =>
    Object.values(figures.checks()).every(({ ok, isWarning }) => ok || isWarning === true) ? 1 : 0,
  );
  registry.gauge("vectra_idempotency_keys", "Idempotency keys held.", () => figures.fill().keys);
  registry.gauge(
    "vectra_event_loop_lag_seconds",
    "Worst delay of a timer in the last 15 to 30 seconds.",
    worstLagSeconds,
  );
  const { canary } = census;
  if (canary !== undefined) {
    registry.gauge(
      "vectra_canary_round_trip_seconds",
      "The last probe's way through the hub; -1 while one is overdue.",
      canary.roundTripSeconds,
    );
  }
  registry.counted("process_cpu_seconds_total", "CPU time.", () => processFigures().cpuSeconds);
  registry.gauge("process_resident_memory_bytes", "Resident memory.", () => processFigures().residentBytes);
  registry.gauge("process_open_fds", "Open file descriptors.", () => processFigures().openFiles);
  registry.gauge("process_start_time_seconds", "Start of the process, since 1970.", () => startedMs / 1000);
  registry.gauge("vectra_build_info", "Always 1; the labels say what runs.", () => ({
    [`version="${VERSION}",commit="${COMMIT}"`]: 1,
  }));
}
