import { z } from "zod";
import type { Described } from "./described.ts";
import { PROBLEMS, type ProblemCode, problemType } from "./problems.ts";
import { commandId, connId, count, cursor, workerStatus } from "./values.ts";

const time = z.iso.datetime().nullable();
const amount = z.number().min(0);

const check = z.object({ ok: z.boolean(), detail: z.string().optional(), isWarning: z.boolean().optional() });

const worker = {
  conn_id: connId.nullable(),
  connected_at: time,
  last_seen: time,
  queued: count,
};

/** The bodies of HTTP answers (PROTOCOL.md, section 4), by their name in the contract. */
export const BODIES = {
  Problem: {
    schema: z.object({ type: z.string(), title: z.string(), status: z.int(), detail: z.string() }),
    description: "An error (RFC 9457). Programs compare `type`; `detail` is for the person who reads it.",
    examples: [problemExample("queue_full")],
  },
  Receipt: {
    schema: z.object({
      ids: z.array(cursor).min(1),
      receivers: z.object({ websocket: count, sse: count }),
    }),
    description:
      "The cursor of each message, in the order of the body, and how many of this node's connections it went to.",
    examples: [{ ids: ["1f0c9a7e-1", "1f0c9a7e-2"], receivers: { websocket: 812, sse: 3 } }],
  },
  CommandReceipt: {
    schema: z.object({ id: commandId, status: z.enum(["sent", "queued"]) }),
    description: "Sent to the worker, or kept for the next one. The id is for asking what has become of it.",
    examples: [{ id: "8c41f0d2a6b35e97", status: "queued" }],
  },
  CommandState: {
    schema: z.object({
      id: commandId,
      status: z.enum(["queued", "sent", "acknowledged", "expired"]),
      attempts: count,
    }),
    description: "What has become of a command. `attempts` counts how often it was sent.",
    examples: [{ id: "8c41f0d2a6b35e97", status: "acknowledged", attempts: 1 }],
  },
  WorkerState: {
    schema: z.discriminatedUnion("status", [
      workerStatus({}).options[0].extend(worker),
      workerStatus({}).options[1].extend(worker),
    ]),
    description: "Who works at the moment, and how many commands wait or are unacknowledged.",
    examples: [
      {
        status: "online",
        metadata: { hostname: "gpu-01" },
        conn_id: "5b1d20c4",
        connected_at: "2026-11-22T09:00:00.000Z",
        last_seen: "2026-11-22T09:00:25.000Z",
        queued: 0,
      },
      { status: "offline", metadata: null, conn_id: null, connected_at: null, last_seen: null, queued: 1 },
    ],
  },
  Stats: {
    schema: z.object({
      version: z.string(),
      commit: z.string(),
      uptime_s: count,
      connections: z.object({
        client: z.object({ websocket: count, of_which_stream_framed: count, sse: count }),
        worker: z.object({ websocket: count }),
      }),
      worker: z.object({ status: z.enum(["online", "offline"]) }),
      rates: z.object({ published_per_s: amount, delivered_per_s: amount }),
      stream: z.object({ cursor }),
      history: z.object({
        messages: count,
        messages_limit: count,
        bytes: count,
        bytes_limit: count,
        is_durable: z.boolean(),
      }),
      commands: z.object({ waiting: count, limit: count }),
      idempotency_keys: count,
      process: z.object({ resident_bytes: count, cpu_s: amount, event_loop_lag_s: amount }),
    }),
    description: "Connections by type and transport, rates, history, commands and process.",
    examples: [
      {
        version: "0.1.0",
        commit: "source",
        uptime_s: 86_400,
        connections: {
          client: { websocket: 812, of_which_stream_framed: 640, sse: 3 },
          worker: { websocket: 1 },
        },
        worker: { status: "online" },
        rates: { published_per_s: 41.5, delivered_per_s: 33_822.5 },
        stream: { cursor: "1f0c9a7e-41" },
        history: {
          messages: 10_000,
          messages_limit: 10_000,
          bytes: 2_000_000,
          bytes_limit: 67_108_864,
          is_durable: true,
        },
        commands: { waiting: 0, limit: 1_000 },
        idempotency_keys: 12,
        process: { resident_bytes: 120_000_000, cpu_s: 63.204, event_loop_lag_s: 0.002 },
      },
    ],
  },
  Health: {
    schema: z.object({ status: z.literal("ok") }),
    description: "The process is up.",
    examples: [{ status: "ok" }],
  },
  Readiness: {
    schema: z.object({
      status: z.enum(["ready", "not_ready"]),
      checks: z.object({
        listener: check,
        history: check,
        canary: check.optional(),
        bridge: check.optional(),
      }),
    }),
    description:
      "Whether the hub takes traffic, and why not. A check that is a warning does not fail. `canary` is there where CANARY_INTERVAL_MS is set, `bridge` where BRIDGE_URL is.",
    examples: [
      { status: "ready", checks: { listener: { ok: true }, history: { ok: true } } },
      {
        status: "not_ready",
        checks: { listener: { ok: false, detail: "the hub is stopping" }, history: { ok: true } },
      },
    ],
  },
} as const satisfies Readonly<Record<string, Described>>;

/** A problem as it stands on the wire. */
export function problemExample(code: ProblemCode) {
  const { title, status, when } = PROBLEMS[code];
  return { type: problemType(code), title, status, detail: when.replaceAll("`", "") };
}
