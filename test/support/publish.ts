import { publishLines, publish as publishOne, type Receipt, receiptOf } from "./api.ts";
import type { Hub } from "./hub.ts";

/** What a batch may hold. */
const BATCH_LIMIT_MESSAGES = 5_000;

/** Publishes one text as JSON, or several as NDJSON, and returns the receipt; fails when the hub refuses. */
export async function publish(
  hub: Hub,
  texts: string | readonly string[],
  headers: Record<string, string> = {},
): Promise<Receipt> {
  const post =
    typeof texts === "string" ? publishOne(hub, texts, headers) : publishLines(hub, texts, headers);
  return receiptOf(await post);
}

/** Publishes any number of texts, one batch after the other. @returns their cursors */
export async function publishAll(hub: Hub, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < texts.length; at += BATCH_LIMIT_MESSAGES) {
    ids.push(...(await publish(hub, texts.slice(at, at + BATCH_LIMIT_MESSAGES))).ids);
  }
  return ids;
}

/** `count` small messages of one type, numbered from `first`. */
export function numbered(count: number, first = 0, type = "DOC_UPDATE"): string[] {
  return Array.from({ length: count }, (_, at) => JSON.stringify({ type, n: first + at }));
}

/** The same, each of `bytes` bytes. */
export function padded(count: number, bytes: number, first = 0, type = "DOC_UPDATE"): string[] {
  return Array.from({ length: count }, (_, at) => {
    const head = `{"type":"${type}","n":${first + at},"fill":"`;
    return `${head}${"x".repeat(bytes - head.length - 2)}"}`;
  });
}
