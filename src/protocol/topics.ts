/** What a WebSocket text frame holds (PROTOCOL.md, section 0): the message itself, or an envelope around it. */
export type Framing = "raw" | "stream";

/**
 * The native pub/sub topic of all unfiltered clients of a framing. A client is in exactly one class: all of a framing, or
 * the topics of the types that it asked for. So every message reaches it at most once, by one native publish per class.
 */
export function allOf(framing: Framing): string {
  return framing;
}

/** The topic of those who filter for this type. */
export function ofType(framing: Framing, type: string): string {
  return `${framing}/${type}`;
}

/** Stream-framed clients are told now and then how far the stream is. */
export const POSITIONS = "positions";
