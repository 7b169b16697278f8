import type { Backplane, Figures, WorkerState } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Hub } from "../hub/hub.ts";
import { processFigures, watchLoopLag, watchRate } from "../observe/figures.ts";
import { type Metrics, SOURCES, TRANSPORTS } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import { COMMIT, VERSION } from "../version.ts";
import { registerGauges } from "./gauges.ts";
import { json } from "./problem.ts";

/** What operators look at (PROTOCOL.md, section 4). */
export interface Ops {
  /** `GET /metrics`: Prometheus' text format. */
  metrics(): Promise<Response>;
  /** `GET /api/v1/stats`. */
  stats(): Response;
  stop(): void;
}

export interface OpsOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly hub: Hub;
  readonly backplane: Backplane & Figures;
  readonly metrics: Metrics;
}

export function createOps({ config, runtime, hub, backplane, metrics }: OpsOptions): Ops {
  const startedMs = runtime.nowMs();
  const { registry, published, deliveries } = metrics;
  const lag = watchLoopLag(runtime);
  const publishedRate = watchRate(runtime, () => total(SOURCES.map(published.value)));
  const deliveredRate = watchRate(runtime, () => total(TRANSPORTS.map(deliveries.value)));
  let worker: WorkerState["worker"];
  registerGauges({ runtime, hub, figures: backplane, worker: () => worker, registry, lag, startedMs });

  return {
    async metrics() {
      worker = (await backplane.worker()).worker;
      return new Response(registry.render(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
      });
    },
    stats() {
      const { client, clientStream, worker } = hub.connections();
      const fill = backplane.fill();
      const { residentBytes, cpuSeconds } = processFigures();
      return json(200, {
        version: VERSION,
        commit: COMMIT,
        uptime_s: Math.round((runtime.nowMs() - startedMs) / 1000),
        connections: {
          client: { websocket: client, of_which_stream_framed: clientStream, sse: hub.sse.count() },
          worker: { websocket: worker },
        },
        worker: { status: hub.workers.status().status },
        rates: { published_per_s: publishedRate.perSecond(), delivered_per_s: deliveredRate.perSecond() },
        stream: { cursor: backplane.cursorAt(backplane.head()) },
        history: {
          messages: fill.messages,
          messages_limit: config.HISTORY_MESSAGES,
          bytes: fill.bytes,
          bytes_limit: config.HISTORY_BYTES,
          is_durable: config.HISTORY_FILE !== undefined,
        },
        commands: { waiting: backplane.waiting(), limit: config.COMMAND_QUEUE },
        idempotency_keys: fill.keys,
        process: {
          resident_bytes: residentBytes,
          cpu_s: Math.round(cpuSeconds * 1000) / 1000,
          event_loop_lag_s: lag.worstSeconds(),
        },
      });
    },
    stop() {
      for (const { stop } of [lag, publishedRate, deliveredRate]) stop();
    },
  };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
