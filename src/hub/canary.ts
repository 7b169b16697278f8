import { CANARY } from "../protocol/message.ts";
import type { Runtime } from "../runtime.ts";
import type { Feeds } from "./feeds.ts";
import type { Publisher } from "./publisher.ts";

/** Sends a message through the whole path, history included, to a subscriber of the hub's own. */
export interface Canary {
  /** The last one's way through the hub, in seconds; -1 when the present one is overdue or none has arrived yet. */
  roundTripSeconds(): number;
  /** A canary has not come back within an interval: what the hub takes does not reach anybody. */
  isOverdue(): boolean;
  stop(): void;
}

/** @param intervalMs CANARY_INTERVAL_MS */
export function startCanary(
  intervalMs: number,
  runtime: Runtime,
  publisher: Pick<Publisher, "forward">,
  feeds: Pick<Feeds, "join" | "leave">,
): Canary {
  // Several hubs on one Redis each have a probe, and see those of the others.
  const own = runtime.randomHex(8);
  const decoder = new TextDecoder();
  let sentMs: number | undefined;
  let roundTripMs: number | undefined;

  const feed = {
    types: new Set([CANARY]),
    isProbe: true,
    write(chunk: Uint8Array) {
      if (sentMs === undefined || !decoder.decode(chunk).includes(own)) return;
      roundTripMs = runtime.monotonicMs() - sentMs;
      sentMs = undefined;
    },
  };
  const isOverdue = (): boolean => sentMs !== undefined && runtime.monotonicMs() - sentMs > intervalMs;

  feeds.join(feed);
  const stop = runtime.every(intervalMs, () => {
    // The time of a lost one stays, so that it remains overdue until one comes through.
    sentMs ??= runtime.monotonicMs();
    const value = { type: CANARY, hub: own, sent_ms: runtime.nowMs() };
    publisher.forward({ text: JSON.stringify(value), type: CANARY, value }, "hub");
  });
  return {
    roundTripSeconds: () => (roundTripMs === undefined || isOverdue() ? -1 : roundTripMs / 1000),
    isOverdue,
    stop() {
      stop();
      feeds.leave(feed);
    },
  };
}
