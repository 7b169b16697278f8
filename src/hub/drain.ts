import { CLOSE } from "../protocol/close.ts";
import { goodbyeJson } from "../protocol/envelope.ts";
import type { Runtime } from "../runtime.ts";
import { type ClientType, retire, type Socket } from "./connection.ts";
import type { SseClients } from "./sse-client.ts";

/** How often those whose turn has come are sent away. */
const TICK_MS = 20;

/** Those who are sent away come back within this, each at a time of its own; a large fleet takes longer. */
const RECONNECT_MIN_MS = 500;
const RECONNECT_SPREAD_MS = 4_500;
const RECONNECT_PER_CLIENT_MS = 1;

/** Sends connections away with a goodbye. */
export interface Drain {
  /** All clients, evenly over the time given, so that a fleet does not come back at once. */
  clients(): Promise<void>;
  /** Whoever is left, at once: clients first, workers last. */
  rest(): void;
}

/** @param spreadMs 0: with 1001, all in one turn; else with 1012, over so long */
export function createDrain(
  runtime: Runtime,
  sockets: ReadonlySet<Socket>,
  sse: SseClients,
  spreadMs: number,
): Drain {
  const close = spreadMs === 0 ? CLOSE.goingAway : CLOSE.restart;
  const all = (clientType: ClientType): Socket[] =>
    [...sockets].filter((socket) => socket.data.clientType === clientType);
  const reconnectSpreadMs = RECONNECT_SPREAD_MS + RECONNECT_PER_CLIENT_MS * (sockets.size + sse.count());
  const reconnectAfterMs = (): number => RECONNECT_MIN_MS + Math.floor(runtime.random() * reconnectSpreadMs);

  const dismiss = (socket: Socket): void => {
    if (socket.data.retired) return;
    const { clientType, framing } = socket.data;
    if (clientType === "client" && framing === "stream") {
      socket.send(goodbyeJson("shutdown", reconnectAfterMs()));
    }
    retire(socket, close);
  };

  return {
    async clients() {
      const farewells = [
        ...all("client").map((socket) => () => dismiss(socket)),
        ...sse.farewells(reconnectAfterMs),
      ];
      const startedMs = runtime.monotonicMs();
      let sent = 0;
      while (sent < farewells.length) {
        const share = spreadMs === 0 ? 1 : (runtime.monotonicMs() - startedMs) / spreadMs;
        const due = Math.min(farewells.length, Math.ceil(farewells.length * share));
        for (; sent < due; sent++) farewells[sent]?.();
        if (sent < farewells.length) await new Promise<void>((resolve) => runtime.after(TICK_MS, resolve));
      }
    },
    rest() {
      for (const farewell of sse.farewells(reconnectAfterMs)) farewell();
      for (const socket of [...all("client"), ...all("worker")]) dismiss(socket);
    },
  };
}
