import { WORKER_STATUS } from "./message.ts";

/** The worker as everybody sees it (PROTOCOL.md, section 1). `metadata` is JSON text, so that it is forwarded as it came. */
export type WorkerStatus =
  | { readonly status: "online"; readonly metadata: string }
  | { readonly status: "offline"; readonly metadata: "null" };

export const OFFLINE: WorkerStatus = { status: "offline", metadata: "null" };

/** A worker that has not named itself has this metadata. */
export const NO_METADATA = "{}";

/** Larger metadata would be repeated to every dashboard that connects. */
export const METADATA_LIMIT_BYTES = 16_384;

/** The message that tells clients of the worker's status. */
export function statusMessage({ status, metadata }: WorkerStatus): string {
  return `{"type":"${WORKER_STATUS}","status":"${status}","metadata":${metadata}}`;
}

export type Metadata =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly json: typeof NO_METADATA; readonly why: string };

/**
 * Takes what a worker says of itself: an object of at most 16 KiB; anything else counts as `{}`, and says why.
 * @param json the JSON text of the `metadata` member; undefined where there is none
 */
export function readMetadata(json: string | undefined): Metadata {
  if (json === undefined || !json.startsWith("{")) {
    return { ok: false, json: NO_METADATA, why: "metadata is no JSON object" };
  }
  return Buffer.byteLength(json) <= METADATA_LIMIT_BYTES
    ? { ok: true, json }
    : { ok: false, json: NO_METADATA, why: `metadata is larger than ${METADATA_LIMIT_BYTES} bytes` };
}
