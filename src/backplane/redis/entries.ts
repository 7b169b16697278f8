import { formatCursor } from "../../protocol/cursor.ts";
import { memberText } from "../../protocol/member.ts";
import { OFFLINE, type WorkerStatus } from "../../protocol/status.ts";
import type { Entry } from "../backplane.ts";

/** A message as it lies in the stream. */
export interface StoredEntry extends Entry {
  readonly epoch: string;
  /** The worker whose registration brought it about, where it is such a status. */
  readonly token: string | undefined;
}

/** An entry of XREAD and XREVRANGE. */
export type RawEntry = readonly [id: string, fields: readonly string[]];

export function readEntry([id, fields]: RawEntry): StoredEntry {
  const offset = Number.parseInt(id, 10);
  let text = "";
  let atMs = 0;
  let epoch = "";
  let type: string | undefined;
  let token: string | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    const value = fields[at + 1] ?? "";
    switch (fields[at]) {
      case "d":
        text = value;
        break;
      case "a":
        atMs = Number(value);
        break;
      case "e":
        epoch = value;
        break;
      case "t":
        type = value;
        break;
      case "w":
        token = value;
        break;
      default:
    }
  }
  const byteCount = Buffer.byteLength(text);
  return { offset, cursor: formatCursor({ epoch, offset }), text, byteCount, type, atMs, epoch, token };
}

/** The status that a WORKER_STATUS of the hub says. */
export function statusOf(text: string): WorkerStatus {
  return memberText(text, "status") === '"online"'
    ? { status: "online", metadata: memberText(text, "metadata") ?? "{}" }
    : OFFLINE;
}
