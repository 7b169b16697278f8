import { z } from "zod";
import { memberText } from "./member.ts";
import { isObject, parseMessage } from "./message.ts";
import type { WorkerStatus } from "./status.ts";

/** Why nothing is replayed. */
export type NotResumed = "none" | "evicted" | "unknown";

export interface Hello {
  readonly connId: string;
  /** The position after which delivery starts. */
  readonly cursor: string;
  readonly resumed: true | NotResumed;
  readonly heartbeatMs: number;
  readonly worker: WorkerStatus;
}

const KEY_LIMIT_CHARS = 255;

/** An idempotency key, as on `Idempotency-Key` and in a publish envelope: printable ASCII. */
export const keySchema = z
  .string()
  .regex(
    new RegExp(`^[\\x21-\\x7e]{1,${KEY_LIMIT_CHARS}}$`),
    `must be 1 to ${KEY_LIMIT_CHARS} printable ASCII characters without spaces`,
  );

/**
 * Text of so many characters. Not zod's `min` and `max`: they measure whatever has a `length` before they look whether it is
 * a string, and throw where it is an object that is no number.
 */
function boundedText(least: number, most: number) {
  return z
    .string()
    .regex(new RegExp(`^[\\s\\S]{${least},${most}}$`, "u"), `must have ${least} to ${most} characters`);
}

/** What a publish and its answer have in common. */
export const refSchema = boundedText(0, 128);

/** What a stream-framed worker sends. Members that are not named are ignored, so that a later version may add some. */
export const workerEnvelope = z.discriminatedUnion("type", [
  z.object({ type: z.literal("register"), metadata: z.unknown().optional() }),
  z.object({
    type: z.literal("publish"),
    ref: refSchema.optional(),
    key: keySchema.optional(),
    // Not an object schema: that would copy every message.
    data: z.custom<Record<string, unknown>>(isObject, "must be a JSON object"),
  }),
  z.object({ type: z.literal("ack"), id: boundedText(1, 64) }),
]);

export type WorkerEnvelope =
  | { readonly ok: true; readonly type: "register"; readonly metadata: string | undefined }
  | {
      readonly ok: true;
      readonly type: "publish";
      readonly ref: string | undefined;
      readonly key: string | undefined;
      readonly data: Readonly<Record<string, unknown>>;
      /** The message as it stood in the envelope, byte for byte. */
      readonly text: string;
    }
  | { readonly ok: true; readonly type: "ack"; readonly id: string }
  | { readonly ok: false; readonly ref: string | undefined; readonly reason: string };

/** Reads one frame of a stream-framed worker. A malformed one says why, with its `ref` where it has one. */
export function readWorkerEnvelope(frame: string): WorkerEnvelope {
  const parsed = parseMessage(frame);
  if (parsed.code !== "object") {
    return { ok: false, ref: undefined, reason: "the frame is no JSON object" };
  }
  const envelope = workerEnvelope.safeParse(parsed.value);
  if (!envelope.success) {
    const ref = refSchema.safeParse(parsed.value["ref"]);
    const issue = envelope.error.issues[0];
    const where = issue?.path.join(".") || "type";
    const what = where === "type" ? "must be register, publish or ack" : (issue?.message ?? "is wrong");
    return {
      ok: false,
      ref: ref.data,
      reason: `${where}: ${what}`,
    };
  }
  const { data } = envelope;
  if (data.type === "register")
    return { ok: true, type: "register", metadata: memberText(frame, "metadata") };
  if (data.type === "ack") return { ok: true, type: "ack", id: data.id };
  const text = memberText(frame, "data") as string;
  return { ok: true, type: "publish", ref: data.ref, key: data.key, data: data.data, text };
}

/** The texts below put JSON together around texts that are forwarded as they came. */

function workerJson({ status, metadata }: WorkerStatus): string {
  return `{"status":"${status}","metadata":${metadata}}`;
}

export function helloJson({ connId, cursor, resumed, heartbeatMs, worker }: Hello): string {
  const outcome = resumed === true ? `"resumed":true` : `"resumed":false,"reason":"${resumed}"`;
  return `{"type":"hello","conn_id":"${connId}","cursor":"${cursor}",${outcome},"heartbeat_ms":${heartbeatMs},"worker":${workerJson(worker)}}`;
}

export function liveJson(cursor: string, worker: WorkerStatus): string {
  return `{"type":"live","id":"${cursor}","worker":${workerJson(worker)}}`;
}

export function messageJson(cursor: string, text: string): string {
  return `{"type":"message","id":"${cursor}","data":${text}}`;
}

export function positionJson(cursor: string): string {
  return `{"type":"position","id":"${cursor}"}`;
}

export function goodbyeJson(reason: "shutdown", reconnectAfterMs: number): string {
  return `{"type":"goodbye","reason":"${reason}","reconnect_after_ms":${reconnectAfterMs}}`;
}

/** The status for one connection alone: the answer to `get_worker_status`, and what a stream-framed worker is told. */
export function workerJsonFrame({ status, metadata }: WorkerStatus): string {
  return `{"type":"worker","status":"${status}","metadata":${metadata}}`;
}

export function ackJson(ref: string | undefined, cursor: string): string {
  return JSON.stringify({ type: "ack", ref, id: cursor });
}

export function errorJson(ref: string | undefined, reason: string): string {
  return JSON.stringify({ type: "error", ref, reason });
}

export function commandJson(id: string, attempt: number, text: string): string {
  return `{"type":"command","id":"${id}","attempt":${attempt},"data":${text}}`;
}

/** For line-based transports: raw CR and LF in valid JSON are insignificant white space, and become spaces. */
export function oneLine(json: string): string {
  return json.includes("\n") || json.includes("\r") ? json.replace(/[\r\n]/g, " ") : json;
}
