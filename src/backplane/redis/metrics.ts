import type { Metrics } from "../../observe/metrics.ts";

const CALL_BOUNDS_S = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];

export type RedisMetrics = ReturnType<typeof createRedisMetrics>;

/** What is counted only where there is Redis. */
export function createRedisMetrics({ registry }: Pick<Metrics, "registry">) {
  return {
    reconnects: registry.counter(
      "vectra_redis_reconnects_total",
      "Connections to Redis that were made again after a loss.",
      "connection",
      ["commands", "tail"],
    ),
    resets: registry.counter(
      "vectra_redis_resets_total",
      "Times at which this node's clients had to come back: it had fallen behind, or Redis had lost messages.",
      "reason",
      ["behind", "lost"],
    ),
    refused: registry.counter(
      "vectra_redis_refused_total",
      "What this node asked of Redis and was refused: its buffer was full, the deadline passed, Redis answered with an error.",
      "reason",
      ["buffer", "deadline", "error"],
    ),
    callSeconds: registry.histogram(
      "vectra_redis_call_duration_seconds",
      "From sending a batch to Redis to its answer.",
      CALL_BOUNDS_S,
    ),
    /** @param read what waits for Redis at the moment */
    showBuffer(read: () => { readonly messages: number; readonly bytes: number }): void {
      registry.gauge(
        "vectra_redis_buffered_messages",
        "Messages that wait for Redis.",
        () => read().messages,
      );
      registry.gauge("vectra_redis_buffered_bytes", "Bytes that wait for Redis.", () => read().bytes);
    },
  };
}
