import type { Canary } from "../hub/canary.ts";
import type { ConnectionCounts } from "../hub/connection.ts";
import type { Hub } from "../hub/hub.ts";

/** What is to be counted when an operator looks: by the hub of this thread, or by those of all threads. */
export interface Census {
  /** Counts anew, where the others must be asked for that. */
  take(): Promise<void>;
  /** Open connections. */
  connections(): ConnectionCounts & { readonly sse: number };
  /** The worst delay of an event loop but this one's. */
  lagSeconds(): number;
  /** Undefined where CANARY_INTERVAL_MS is 0. */
  readonly canary: Pick<Canary, "roundTripSeconds" | "isOverdue"> | undefined;
}

/** The census of a hub that is alone in its process. */
export function censusOf(hub: Pick<Hub, "connections" | "sse" | "canary">): Census {
  return {
    take: () => Promise.resolve(),
    connections: () => ({ ...hub.connections(), sse: hub.sse.count() }),
    lagSeconds: () => 0,
    canary: hub.canary,
  };
}
