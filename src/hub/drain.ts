import { CLOSE } from "../protocol/close.ts";
import { goodbyeJson } from "../protocol/envelope.ts";
import type { Runtime } from "../runtime.ts";
import { type ClientType, retire, type Socket } from "./connection.ts";
import type { Farewell, SseClients } from "./sse-client.ts";

/** How often those whose turn has come are sent away. */
const TICK_MS = 20;

/**
 * How long the goodbye to a connection waits for what has not been sent yet. Once it is closed nobody can see any more
 * whether that has left, and the end of the process would cut it off.
 */
export const FLUSH_LIMIT_MS = 2_000;

/** Those who are sent away come back within this, each at a time of its own; a large fleet takes longer. */
const RECONNECT_MIN_MS = 500;
const RECONNECT_SPREAD_MS = 4_500;
const RECONNECT_PER_CLIENT_MS = 1;

/** Sends connections away with a goodbye. */
export interface Drain {
  /** All clients, evenly over the time given, so that a fleet does not come back at once. */
  clients(): Promise<void>;
  /** Whoever is left, at once: clients first, workers last. */
  rest(): Promise<void>;
}

export interface DrainOptions {
  readonly runtime: Runtime;
  readonly sockets: ReadonlySet<Socket>;
  readonly sse: SseClients;
  /** 0: with 1001, all in one turn; else with 1012, over so long. */
  readonly spreadMs: number;
  readonly share?: Share | undefined;
}

/** What a hub that is one of several in its process has to know of the others. */
export interface Share {
  /** How many connections come back, of all hubs. */
  readonly connections: number;
  /** From 0 up to 1: so much of the time between two of its clients it starts after the first hub, so that they take turns. */
  readonly phase: number;
}

export function createDrain({ runtime, sockets, sse, spreadMs, share }: DrainOptions): Drain {
  const close = spreadMs === 0 ? CLOSE.goingAway : CLOSE.restart;
  const all = (clientType: ClientType): Socket[] =>
    [...sockets].filter((socket) => socket.data.clientType === clientType);
  const reconnectSpreadMs =
    RECONNECT_SPREAD_MS + RECONNECT_PER_CLIENT_MS * (share?.connections ?? sockets.size + sse.count());
  const reconnectAfterMs = (): number => RECONNECT_MIN_MS + Math.floor(runtime.random() * reconnectSpreadMs);

  const toSocket = (socket: Socket): Farewell => ({
    isBackedUp: () => !socket.data.retired && socket.getBufferedAmount() > 0,
    say() {
      if (socket.data.retired) return;
      const { clientType, framing } = socket.data;
      if (clientType === "client" && framing === "stream") {
        socket.send(goodbyeJson("shutdown", reconnectAfterMs()));
      }
      retire(socket, close);
    },
  });
  const toClients = (): Farewell[] => [...all("client").map(toSocket), ...sse.farewells(reconnectAfterMs)];

  const sendAway = async (farewells: readonly Farewell[], overMs: number): Promise<void> => {
    const startedMs = runtime.monotonicMs();
    let left = farewells.map((farewell, at) => ({
      farewell,
      dueMs: startedMs + (overMs * (at + (share?.phase ?? 0))) / farewells.length,
    }));
    while (left.length > 0) {
      const nowMs = runtime.monotonicMs();
      left = left.filter(({ farewell, dueMs }) => {
        if (nowMs < dueMs || (nowMs < dueMs + FLUSH_LIMIT_MS && farewell.isBackedUp())) return true;
        farewell.say();
        return false;
      });
      if (left.length > 0) await new Promise<void>((resolve) => runtime.after(TICK_MS, resolve));
    }
  };

  return {
    clients: () => sendAway(toClients(), spreadMs),
    async rest() {
      await sendAway(toClients(), 0);
      await sendAway(all("worker").map(toSocket), 0);
    },
  };
}
