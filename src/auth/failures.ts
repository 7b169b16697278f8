import type { Runtime } from "../runtime.ts";
import { networkOf } from "./address.ts";
import { createTable } from "./table.ts";

/** A count starts with an address's first wrong secret and is forgotten after this. */
export const FAILURE_WINDOW_MS = 60_000;

/** How many networks are counted at once. One more, and the one counted longest is forgotten. */
export const FAILURE_NETWORKS_MAX = 10_000;

/** What to do about a wrong secret. */
export interface Failure {
  /** 0: answer as ever. Above: 429 with this as `Retry-After`, in whole seconds. */
  readonly retryAfterS: number;
  /** The first one over the limit in this window: the one to log as a warning, so that a flood does not fill the log. */
  readonly crossed: boolean;
}

export interface FailureLimiter {
  /**
   * Counts one wrong secret. To be called for nothing else: a right secret enters whatever was counted, and who shows
   * none is not looked up at all. A client's `?token=` or `Authorization` is for forward-auth and counts as none.
   * @param address as `clientAddress` gives it
   */
  count(address: string): Failure;
  /** How many networks are being counted, at most FAILURE_NETWORKS_MAX. */
  size(): number;
}

const UNLIMITED: Failure = { retryAfterS: 0, crossed: false };

/**
 * Limits wrong secrets by network: an IPv4 address, or an IPv6 /64, which one host has to itself (PROTOCOL.md, section 1).
 * It spares the log and the close handshakes; what keeps a secret from being guessed is its length.
 * @param maxPerMinute so many are answered as ever; 0 = no limit
 */
export function createFailureLimiter(
  runtime: Pick<Runtime, "monotonicMs">,
  maxPerMinute: number,
): FailureLimiter {
  const counts = createTable<{ failures: number; readonly startMs: number }>({
    maxEntries: FAILURE_NETWORKS_MAX,
    ttlMs: FAILURE_WINDOW_MS,
    runtime,
  });
  return {
    count(address) {
      if (maxPerMinute === 0) return UNLIMITED;
      const network = networkOf(address);
      const nowMs = runtime.monotonicMs();
      const counted = counts.get(network);
      if (counted === undefined) {
        counts.set(network, { failures: 1, startMs: nowMs });
        return UNLIMITED;
      }
      counted.failures += 1;
      if (counted.failures <= maxPerMinute) return UNLIMITED;
      return {
        retryAfterS: Math.ceil((counted.startMs + FAILURE_WINDOW_MS - nowMs) / 1000),
        crossed: counted.failures === maxPerMinute + 1,
      };
    },
    size: counts.size,
  };
}
