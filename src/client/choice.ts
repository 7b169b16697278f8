import type { TransportName } from "./transport.ts";

/** Which transport the next try uses. */
export interface Choice {
  /** Are there two to choose from? */
  readonly canChange: boolean;
  next(): TransportName;
  opened(transport: TransportName): void;
  /** A try has ended before it opened. */
  failed(transport: TransportName): void;
}

/** So many failed tries in a row, and WebSockets are taken to be blocked on the way. */
export const WEBSOCKET_TRIES = 3;

/**
 * After three WebSocket tries in a row that did not open, one is made over SSE. If that does not open either, it is the
 * WebSocket's turn again, three times. Once SSE has opened, it stays until a try over it fails or a WebSocket has opened.
 */
export function createChoice(): Choice {
  let failures = 0;
  let hasSse = false;
  return {
    canChange: true,
    next: () => (hasSse || failures >= WEBSOCKET_TRIES ? "sse" : "websocket"),
    opened(transport) {
      failures = 0;
      hasSse = transport === "sse";
    },
    failed(transport) {
      if (transport === "websocket") failures += 1;
      else {
        failures = 0;
        hasSse = false;
      }
    },
  };
}

/** One transport only. */
export function onlyChoice(transport: TransportName): Choice {
  return { canChange: false, next: () => transport, opened: () => undefined, failed: () => undefined };
}
