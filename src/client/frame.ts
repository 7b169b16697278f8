import { memberText } from "../protocol/member.ts";
import { isObject } from "../protocol/message.ts";

/** The worker as the hub describes it. `metadata` is null exactly while it is offline. */
export interface WorkerStatus {
  readonly status: "online" | "offline";
  readonly metadata: Readonly<Record<string, unknown>> | null;
}

/** What the hub says in stream framing (PROTOCOL.md, section 3). */
export type Frame =
  | {
      readonly type: "hello";
      readonly connId: string;
      /** The position after which delivery starts. */
      readonly cursor: string;
      /** Why nothing is replayed; undefined where it is. */
      readonly notResumed: string | undefined;
      readonly heartbeatMs: number;
      readonly worker: WorkerStatus | undefined;
    }
  | MessageFrame
  | { readonly type: "live"; readonly cursor: string; readonly worker: WorkerStatus | undefined }
  | { readonly type: "position"; readonly cursor: string }
  | { readonly type: "goodbye"; readonly reconnectAfterMs: number }
  | { readonly type: "worker"; readonly worker: WorkerStatus }
  | { readonly type: "ack"; readonly ref: string; readonly cursor: string }
  | { readonly type: "error"; readonly ref: string | undefined; readonly reason: string }
  | {
      readonly type: "command";
      readonly id: string;
      readonly attempt: number;
      readonly data: Readonly<Record<string, unknown>>;
      readonly text: string;
    }
  /** The answer to a `ping`, what a later version may add, and what is malformed. */
  | { readonly type: "other" };

export interface MessageFrame {
  readonly type: "message";
  readonly cursor: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The message as it was published, byte for byte. */
  readonly text: string;
}

const OTHER = { type: "other" } as const;

export function readFrame(text: string): Frame {
  const value = parse(text);
  if (!isObject(value)) return OTHER;
  const { type, id, data } = value;
  switch (type) {
    case "hello":
      return readHello(value);
    case "message":
      return typeof id === "string" && isObject(data)
        ? { type, cursor: id, data, text: dataText(text) }
        : OTHER;
    case "live":
      return typeof id === "string" ? { type, cursor: id, worker: readWorker(value["worker"]) } : OTHER;
    case "position":
      return typeof id === "string" ? { type, cursor: id } : OTHER;
    case "goodbye":
      return { type, reconnectAfterMs: positive(value["reconnect_after_ms"]) ?? 0 };
    case "worker": {
      const worker = readWorker(value);
      return worker === undefined ? OTHER : { type, worker };
    }
    default:
      return readAnswer(value, text);
  }
}

/** What only workers are sent. */
function readAnswer(value: Readonly<Record<string, unknown>>, text: string): Frame {
  const { type, id, ref, reason, attempt, data } = value;
  if (type === "ack" && typeof id === "string" && typeof ref === "string") return { type, ref, cursor: id };
  if (type === "error")
    return { type, ref: typeof ref === "string" ? ref : undefined, reason: String(reason) };
  if (type === "command" && typeof id === "string" && isObject(data))
    return { type, id, attempt: positive(attempt) ?? 1, data, text: dataText(text) };
  return OTHER;
}

function readHello(hello: Readonly<Record<string, unknown>>): Frame {
  const { cursor, resumed, reason, worker } = hello;
  const heartbeatMs = positive(hello["heartbeat_ms"]);
  if (typeof cursor !== "string" || heartbeatMs === undefined) return OTHER;
  return {
    type: "hello",
    connId: String(hello["conn_id"]),
    cursor,
    notResumed: resumed === true ? undefined : String(reason),
    heartbeatMs,
    worker: readWorker(worker),
  };
}

/** Reads a `WORKER_STATUS` message, too. @returns undefined for what is none */
export function readWorker(value: unknown): WorkerStatus | undefined {
  if (!isObject(value)) return undefined;
  const { status, metadata } = value;
  if (status === "online") return { status, metadata: isObject(metadata) ? metadata : {} };
  return status === "offline" ? { status, metadata: null } : undefined;
}

function dataText(frame: string): string {
  return memberText(frame, "data") ?? "";
}

function positive(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
