import { type Hub, SECRET } from "../../support/hub.ts";
import type { Audience } from "./audience.ts";

const MESSAGE_CHARS = 16_000;
const BATCH_MESSAGES = 16;
/** The next batch waits until no healthy client is further behind than this: well within what the hub lets one be. */
const LEAD_MESSAGES = 2 * BATCH_MESSAGES;

/** Numbered messages, published as fast as the healthy clients take them. */
export interface HeavyStream {
  /** Publishes a batch, of `count` messages if that is given. @returns to how many connections it went, as the receipt says */
  publish(count?: number): Promise<{ readonly websocket: number; readonly sse: number }>;
  /** The number of the newest message. */
  newest(): number;
  /** How much has been published, in bytes. */
  bytes(): number;
}

export function createHeavyStream(hub: Hub, audience: Audience): HeavyStream {
  const pad = "x".repeat(MESSAGE_CHARS);
  let newest = 0;
  let bytes = 0;
  return {
    async publish(count = BATCH_MESSAGES) {
      const lines = Array.from({ length: count }, (_, index) =>
        JSON.stringify({ type: "DOC_UPDATE", n: newest + 1 + index, pad }),
      );
      const body = lines.join("\n");
      newest += count;
      bytes += body.length;
      const response = await fetch(`${hub.url}/api/v1/publish`, {
        method: "POST",
        headers: { "content-type": "application/x-ndjson", "x-worker-secret": SECRET },
        body,
      });
      const text = await response.text();
      if (response.status !== 202) throw new Error(`publish: ${response.status} ${text}`);
      await audience.reached(newest - LEAD_MESSAGES);
      return JSON.parse(text).receivers;
    },
    newest: () => newest,
    bytes: () => bytes,
  };
}
