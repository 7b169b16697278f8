import { z } from "zod";
import { keySchema, refSchema, workerEnvelope } from "../envelope.ts";
import { CANARY, REGISTER_WORKER, WORKER_STATUS } from "../message.ts";
import type { Described } from "./described.ts";
import { commandId, connId, count, cursor, jsonObject, status, workerStatus } from "./values.ts";

const [register, publish, commandAck] = workerEnvelope.options;
// Not an object schema, like the envelope's: a message is checked, never copied.
const message = publish.shape.data;
const workerStatusMessage = workerStatus({ type: z.literal(WORKER_STATUS) });
const canary = z.object({ type: z.literal(CANARY), hub: z.string(), sent_ms: count });
const streamMessage = z.union([workerStatusMessage, canary, message]);
const NOT_RESUMED = ["none", "evicted", "unknown"] as const;

const CURSOR = "1f0c9a7e-41";
const ONLINE = { status: "online", metadata: { hostname: "gpu-01" } };
const OFFLINE = { status: "offline", metadata: null };
const UPDATE = { type: "DOC_UPDATE", id: "b7a1", status: "ready" };
const TRIGGER = { type: "TRIGGER_DOC_SYNC", id: "b7a1" };
const HELLO = { type: "hello", conn_id: "1f0c9a7e", cursor: CURSOR };

/** JSON Schema for an object whose `type` is none of these. */
function objectExcept(...types: readonly string[]) {
  return { type: "object", not: { properties: { type: { enum: types } }, required: ["type"] } };
}

/** The values that frames share, and the frames of both framings, by their name in the contract. */
export const FRAMES = {
  Cursor: {
    schema: cursor,
    description: "Names a position in the stream, the same on every transport. Opaque.",
    examples: [CURSOR],
  },
  IdempotencyKey: {
    schema: keySchema,
    description: "Makes a resend harmless for 10 minutes: a repeat gets the first answer and does nothing.",
    examples: ["b7a1-ready"],
  },
  Status: {
    schema: status,
    description: "The worker as everybody sees it. `metadata` is `{}` until the worker names itself.",
    examples: [ONLINE, OFFLINE],
  },
  Ping: {
    schema: z.literal("ping"),
    description: "Bare text, in every framing. Answered with `pong`; from the worker it is also a heartbeat.",
    examples: ["ping"],
  },
  Pong: { schema: z.literal("pong"), description: "The answer to `ping`.", examples: ["pong"] },
  GetWorkerStatus: {
    schema: z.literal("get_worker_status"),
    description: "Bare text, in every framing. The status is told to the sender alone.",
    examples: ["get_worker_status"],
  },
  Message: {
    schema: message,
    description:
      "One JSON object, forwarded byte for byte. Its `type` is free but for the hub's own: WORKER_STATUS, REGISTER_WORKER and VECTRA_CANARY.",
    examples: [UPDATE, { type: "DOC_PROGRESS", doc_id: "b7a1", processed: 1, total: 9 }],
    json: objectExcept(WORKER_STATUS, REGISTER_WORKER, CANARY),
  },
  WorkerStatus: {
    schema: workerStatusMessage,
    description: "The worker came, named itself or went. On connecting, and as an answer, to one alone.",
    examples: [
      { type: WORKER_STATUS, ...ONLINE },
      { type: WORKER_STATUS, ...OFFLINE },
    ],
  },
  Canary: {
    schema: canary,
    description: "The hub's own probe (CANARY_INTERVAL_MS). Only who filters for its type gets it.",
    examples: [{ type: CANARY, hub: "5b1d20c4a93f07e2", sent_ms: 1_700_000_000_000 }],
  },
  StreamMessage: {
    schema: streamMessage,
    description: "A message as it stands in the stream: somebody's, or one of the hub's own.",
    examples: [UPDATE, { type: WORKER_STATUS, ...OFFLINE }],
  },
  RegisterWorker: {
    schema: z.object({ type: z.literal(REGISTER_WORKER), metadata: z.unknown().optional() }),
    description:
      "The worker names itself; it is not forwarded. `metadata` is an object of at most 16 KiB: anything else counts as `{}`.",
    examples: [{ type: REGISTER_WORKER, metadata: { hostname: "gpu-01" } }],
  },
  Hello: {
    schema: z.discriminatedUnion("resumed", [
      z.object({
        type: z.literal("hello"),
        conn_id: connId,
        cursor,
        resumed: z.literal(true),
        heartbeat_ms: count,
        worker: status,
      }),
      z.object({
        type: z.literal("hello"),
        conn_id: connId,
        cursor,
        resumed: z.literal(false),
        reason: z.enum(NOT_RESUMED),
        heartbeat_ms: count,
        worker: status,
      }),
    ]),
    description:
      "The first frame. `cursor` is the position after which delivery starts. Where `resumed` is false nothing is replayed, and the client fetches its state anew: no cursor was given (none), the history no longer reaches back so far (evicted), or it is no cursor of this history (unknown).",
    examples: [
      { ...HELLO, resumed: true, heartbeat_ms: 25_000, worker: ONLINE },
      { ...HELLO, resumed: false, reason: "evicted", heartbeat_ms: 25_000, worker: OFFLINE },
    ],
  },
  MessageFrame: {
    schema: z.object({ type: z.literal("message"), id: cursor, data: streamMessage }),
    description: "One message of the stream, WORKER_STATUS included. `data` is its text, byte for byte.",
    examples: [
      { type: "message", id: CURSOR, data: UPDATE },
      { type: "message", id: CURSOR, data: { type: WORKER_STATUS, ...ONLINE } },
    ],
  },
  Live: {
    schema: z.object({ type: z.literal("live"), id: cursor, worker: status }),
    description: "Once, when the replay (if any) has caught up: what follows is live.",
    examples: [{ type: "live", id: CURSOR, worker: ONLINE }],
  },
  Position: {
    schema: z.object({ type: z.literal("position"), id: cursor }),
    description:
      "How far the stream is, for a client whose filter lets little through: every heartbeat, and every HISTORY_MESSAGES/10 messages.",
    examples: [{ type: "position", id: CURSOR }],
  },
  Goodbye: {
    schema: z.object({
      type: z.literal("goodbye"),
      reason: z.literal("shutdown"),
      reconnect_after_ms: count,
    }),
    description: "Before the hub stops: come back after so long, which is another time for everybody.",
    examples: [{ type: "goodbye", reason: "shutdown", reconnect_after_ms: 3_120 }],
  },
  WorkerFrame: {
    schema: workerStatus({ type: z.literal("worker") }),
    description: "The status for one connection alone: an answer, and what a worker is told of itself.",
    examples: [
      { type: "worker", ...ONLINE },
      { type: "worker", ...OFFLINE },
    ],
  },
  Register: {
    schema: register,
    description:
      "The worker names itself; before it no commands are sent to this worker. `metadata` is an object of at most 16 KiB: anything else counts as `{}`.",
    examples: [{ type: "register", metadata: { hostname: "gpu-01" } }],
  },
  Publish: {
    schema: publish,
    description: "Publishes `data`, the last member: its text is forwarded. `ref` comes back in the answer.",
    examples: [
      { type: "publish", ref: "7", key: "b7a1-ready", data: UPDATE },
      { type: "publish", data: UPDATE },
    ],
  },
  PublishAck: {
    schema: z.object({ type: z.literal("ack"), ref: refSchema.optional(), id: cursor }),
    description: "It is in the history, at this cursor.",
    examples: [{ type: "ack", ref: "7", id: CURSOR }],
  },
  PublishError: {
    schema: z.object({ type: z.literal("error"), ref: refSchema.optional(), reason: z.string() }),
    description: "A frame that the hub cannot read, or a publish of which nothing was kept.",
    examples: [{ type: "error", ref: "7", reason: "data.type: WORKER_STATUS is reserved" }],
  },
  Command: {
    schema: z.object({
      type: z.literal("command"),
      id: commandId,
      attempt: z.int().min(1),
      data: jsonObject,
    }),
    description: "What a backend asks of the worker. At least once: a repeat has the same id.",
    examples: [{ type: "command", id: "8c41f0d2a6b35e97", attempt: 1, data: TRIGGER }],
  },
  RawCommand: {
    // Of its own: the general one is part of other schemas.
    schema: z.record(z.string(), z.unknown()),
    description:
      "What a backend asks of the worker, bare. A WebSocket ping with the command's id follows: the pong is the acknowledgement.",
    examples: [TRIGGER],
    json: objectExcept(WORKER_STATUS, REGISTER_WORKER, CANARY),
  },
  CommandAck: {
    schema: commandAck,
    description: "The worker has the command: it is not sent again.",
    examples: [{ type: "ack", id: "8c41f0d2a6b35e97" }],
  },
} as const satisfies Readonly<Record<string, Described>>;
