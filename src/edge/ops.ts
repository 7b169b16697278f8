import type { Backplane, Figures, Maybe, WorkerState } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import { processFigures, watchLoopLag, watchRate } from "../observe/figures.ts";
import { type Metrics, SOURCES, TRANSPORTS } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import { COMMIT, VERSION } from "../version.ts";
import type { Census } from "./census.ts";
import { registerGauges } from "./gauges.ts";
import { json } from "./problem.ts";

/** What operators look at (PROTOCOL.md, section 4). */
export interface Ops {
  /** `GET /metrics`: Prometheus' text format. */
  metrics(): Promise<Response>;
  /** `GET /api/v1/stats`. */
  stats(): Maybe<Response>;
  stop(): void;
}

export interface OpsOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly census: Census;
  readonly backplane: Backplane & Figures;
  readonly metrics: Metrics;
}

export function createOps({ config, runtime, census, backplane, metrics }: OpsOptions): Ops {
  const startedMs = runtime.nowMs();
  const { registry, published, deliveries } = metrics;
  const lag = watchLoopLag(runtime);
  const publishedRate = watchRate(runtime, () => total(SOURCES.map(published.value)));
  const deliveredRate = watchRate(runtime, () => total(TRANSPORTS.map(deliveries.value)));
  const worstLagSeconds = (): number => Math.max(lag.worstSeconds(), census.lagSeconds());
  let worker: WorkerState["worker"];
  registerGauges({
    runtime,
    census,
    status: backplane.status,
    figures: backplane,
    worker: () => worker,
    registry,
    worstLagSeconds,
    startedMs,
  });

  return {
    async metrics() {
      await census.take();
      worker = (await backplane.worker()).worker;
      return new Response(registry.render(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
      });
    },
    async stats() {
      await census.take();
      const { client, clientStream, worker, sse } = census.connections();
      const fill = backplane.fill();
      const { residentBytes, cpuSeconds } = processFigures();
      return json(200, {
        version: VERSION,
        commit: COMMIT,
        uptime_s: Math.round((runtime.nowMs() - startedMs) / 1000),
        connections: {
          client: { websocket: client, of_which_stream_framed: clientStream, sse },
          worker: { websocket: worker },
        },
        worker: { status: backplane.status().status },
        rates: { published_per_s: publishedRate.perSecond(), delivered_per_s: deliveredRate.perSecond() },
        stream: { cursor: backplane.cursorAt(backplane.head()) },
        history: {
          messages: fill.messages,
          messages_limit: config.HISTORY_MESSAGES,
          bytes: fill.bytes,
          bytes_limit: config.HISTORY_BYTES,
          is_durable: config.HISTORY_FILE !== undefined || config.REDIS_URL !== undefined,
        },
        commands: { waiting: backplane.waiting(), limit: config.COMMAND_QUEUE },
        idempotency_keys: fill.keys,
        process: {
          resident_bytes: residentBytes,
          cpu_s: Math.round(cpuSeconds * 1000) / 1000,
          event_loop_lag_s: worstLagSeconds(),
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
