import { messageJson, oneLine } from "../protocol/envelope.ts";
import { memberText } from "../protocol/member.ts";
import { isObject } from "../protocol/message.ts";
import { printable } from "./terminal.ts";

/** What a stream-framed client is told (PROTOCOL.md, section 3), as far as `tail` uses it. */
export type Heard =
  | {
      readonly type: "hello";
      readonly cursor: string;
      /** Why nothing is replayed; undefined where it is. */
      readonly notResumed: string | undefined;
      readonly heartbeatMs: number;
      readonly workerStatus: string;
    }
  | {
      readonly type: "message";
      readonly cursor: string;
      readonly messageType: string | undefined;
      readonly text: string;
    }
  | { readonly type: "moved"; readonly cursor: string }
  | { readonly type: "goodbye"; readonly reconnectAfterMs: number }
  | { readonly type: "other" };

/** Reads one frame. What a later version may add, or what is malformed, is `other`. */
export function readFrame(frame: string): Heard {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return { type: "other" };
  }
  if (!isObject(value)) return { type: "other" };
  const { type, id, data } = value;
  if (type === "message" && typeof id === "string" && isObject(data)) {
    const messageType = typeof data["type"] === "string" ? data["type"] : undefined;
    return { type: "message", cursor: id, messageType, text: memberText(frame, "data") ?? "" };
  }
  if ((type === "live" || type === "position") && typeof id === "string")
    return { type: "moved", cursor: id };
  if (type === "goodbye") {
    const after = value["reconnect_after_ms"];
    return typeof after === "number" && after >= 0
      ? { type: "goodbye", reconnectAfterMs: after }
      : { type: "other" };
  }
  return type === "hello" ? readHello(value) : { type: "other" };
}

function readHello(hello: Readonly<Record<string, unknown>>): Heard {
  const { cursor, resumed, reason, worker } = hello;
  const heartbeatMs = hello["heartbeat_ms"];
  if (typeof cursor !== "string" || typeof heartbeatMs !== "number") return { type: "other" };
  return {
    type: "hello",
    cursor,
    notResumed: resumed === true ? undefined : String(reason),
    heartbeatMs,
    workerStatus: isObject(worker) ? String(worker["status"]) : "unknown",
  };
}

/** A message as a line for people: cursor, type, message. */
export function humanLine({ cursor, messageType, text }: Extract<Heard, { type: "message" }>): string {
  const type = messageType === undefined ? "-" : /^[\w.:-]+$/.test(messageType) ? messageType : "?";
  return `${cursor}  ${type}  ${printable(oneLine(text))}\n`;
}

/** A message as a line for programs: the envelope as it came, and in it the message byte for byte. */
export function jsonLine({ cursor, text }: Extract<Heard, { type: "message" }>): string {
  return `${oneLine(messageJson(cursor, text))}\n`;
}
