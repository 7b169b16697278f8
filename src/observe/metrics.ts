import { createRegistry, type Registry } from "./prometheus.ts";

/** Where a message of the stream comes from. */
export const SOURCES = ["worker", "http", "hub", "bridge"] as const;
export type Source = (typeof SOURCES)[number];

export const TRANSPORTS = ["websocket", "sse"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Why a connection or a request was refused. */
export const REFUSALS = [
  "origin",
  "client_auth",
  "client_auth_unavailable",
  "capacity",
  "address_capacity",
  "too_many_failures",
  "client_type",
  "flood",
] as const;
export type Refusal = (typeof REFUSALS)[number];

const PUBLISH_BOUNDS_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
];

/** Everything that the hub counts. Counting costs an addition; what is read from elsewhere is read when it is asked for. */
export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry: Registry = createRegistry();
  return {
    registry,
    published: registry.counter(
      "vectra_published_total",
      "Messages that entered the stream.",
      "source",
      SOURCES,
    ),
    deliveries: registry.counter(
      "vectra_deliveries_total",
      "Messages handed to the connections of this node.",
      "transport",
      TRANSPORTS,
    ),
    deliveredBytes: registry.counter(
      "vectra_delivered_bytes_total",
      "Bytes of the messages handed to the connections of this node.",
      "transport",
      TRANSPORTS,
    ),
    authFailures: registry.counter(
      "vectra_auth_failures_total",
      "Attempts without the right secret.",
      "reason",
      ["missing", "wrong"],
    ),
    refusals: registry.counter(
      "vectra_refusals_total",
      "Connections and requests refused.",
      "reason",
      REFUSALS,
    ),
    slowConsumers: registry.counter(
      "vectra_slow_consumers_total",
      "Connections ended because they read too slowly.",
      "transport",
      TRANSPORTS,
    ),
    timeouts: registry.counter(
      "vectra_timeouts_total",
      "WebSockets ended because nothing came from them.",
      "type",
      ["client", "worker"],
    ),
    resumes: registry.counter(
      "vectra_resumes_total",
      "Stream-framed and SSE connections, by what became of their cursor.",
      "outcome",
      ["resumed", "none", "evicted", "unknown"],
    ),
    replayed: registry.counter(
      "vectra_replayed_messages_total",
      "Messages sent again to those who resumed.",
      "transport",
      TRANSPORTS,
    ),
    commands: registry.counter(
      "vectra_commands_total",
      "Commands for the worker, by what became of them.",
      "outcome",
      ["accepted", "sent", "redelivered", "acknowledged", "expired", "refused"],
    ),
    publishSeconds: registry.histogram(
      "vectra_publish_duration_seconds",
      "From a publish to its last write to a socket.",
      PUBLISH_BOUNDS_S,
    ),
  };
}
