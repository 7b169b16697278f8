import { oneLine } from "./envelope.ts";

/** The texts of an SSE stream (PROTOCOL.md, section 4; WHATWG HTML, section 9.2). */

/** One message: its cursor as the id, its text on one line. */
export function sseMessage({ cursor, text }: { readonly cursor: string; readonly text: string }): string {
  return `id: ${cursor}\ndata: ${oneLine(text)}\n\n`;
}

/** An event of the hub's own. With an `id` it also moves the position from which the browser resumes. */
export function sseEvent(event: "hello" | "live" | "goodbye", json: string, id?: string): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${oneLine(json)}\n\n`;
}

/** A comment that keeps proxies from cutting the stream, and the position: an id without data makes no event. */
export function sseHeartbeat(cursor: string): string {
  return `: heartbeat\nid: ${cursor}\n\n`;
}

export function sseRetry(retryMs: number): string {
  return `retry: ${retryMs}\n\n`;
}
