import type { Message } from "../hub/publisher.ts";
import { isObject, parseMessage, REGISTER_WORKER, WORKER_STATUS } from "../protocol/message.ts";

/** What a text frame from the API is to the hub (PROTOCOL.md, section 7). */
export type Inbound =
  /** A broadcast: it goes to the stream. */
  | { readonly kind: "message"; readonly message: Message }
  /** Meant for the worker alone. */
  | { readonly kind: "trigger"; readonly type: string; readonly text: string }
  /** The API has broadcast a registration that the bridge sent: it never enters the stream, but marks a place in it. */
  | { readonly kind: "registration"; readonly marker: string | undefined }
  /** The API's own view of the worker: the hub has the better one. */
  | { readonly kind: "status" }
  | { readonly kind: "unusable"; readonly why: string };

const TRIGGER = /^TRIGGER_/;

export function readInbound(text: string): Inbound {
  const parsed = parseMessage(text);
  if (parsed.code === "invalid_json") return { kind: "unusable", why: "invalid JSON" };
  if (parsed.code === "not_object") return { kind: "unusable", why: `no JSON object but ${parsed.found}` };
  const { type, value } = parsed;
  if (type === WORKER_STATUS) return { kind: "status" };
  if (type === REGISTER_WORKER) return { kind: "registration", marker: markerOf(value) };
  if (type !== undefined && TRIGGER.test(type)) return { kind: "trigger", type, text };
  return { kind: "message", message: { text, type, value } };
}

/**
 * What the bridge sends as the worker. The Python original does not know this type and broadcasts it like any object.
 * @param metadata JSON text
 */
export function registration(metadata: string, marker: string): string {
  return `{"type":"${REGISTER_WORKER}","metadata":${metadata},"bridge":{"marker":"${marker}"}}`;
}

function markerOf(registered: Readonly<Record<string, unknown>>): string | undefined {
  const bridge = registered["bridge"];
  return isObject(bridge) && typeof bridge["marker"] === "string" ? bridge["marker"] : undefined;
}
