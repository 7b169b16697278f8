import type { Server } from "bun";
import type { ForwardAuth } from "../auth/forward.ts";
import type { SecretCheck } from "../auth/secret.ts";
import type { Backplane } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Connection } from "../hub/connection.ts";
import type { AudienceListener } from "../hub/feeds.ts";
import { createHub, type Hub } from "../hub/hub.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import { createGuard, type Guard } from "./guard.ts";
import type { Limits } from "./limits.ts";
import { listenTcp, listenUnix } from "./listener.ts";
import { createRoutes, type Handler } from "./routes.ts";
import { websocketHandlers } from "./websocket.ts";

/** How long the last frames may take to leave before the sockets are cut. */
const STOP_FLUSH_LIMIT_MS = 2_000;

/** Everything that connections come to: a hub, and what lets them in to it. */
export interface Edge {
  readonly hub: Hub;
  readonly guard: Guard;
  /**
   * @param operatorRoutes what is served beside clients, workers and backends
   * @returns the port; undefined on a unix socket
   * @throws {ListenError}
   */
  listen(where: Where, operatorRoutes: Record<string, Handler>): Promise<number | undefined>;
  /** Takes no new connections. Who is connected stays for now. */
  unlisten(): void;
  /** Ends every connection that is left, workers last, and frees the port. */
  stop(): Promise<void>;
}

export type Where =
  | { readonly unix: string }
  /** `isShared`: several threads of this process listen there. */
  | { readonly host: string; readonly port: number; readonly isShared: boolean };

export interface EdgeOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly backplane: Backplane;
  readonly limits: Limits;
  readonly forwardAuth: Pick<ForwardAuth, "check"> | undefined;
  readonly checkSecret: SecretCheck;
  readonly audience?: AudienceListener;
}

export function createEdge(options: EdgeOptions): Edge {
  const { config, runtime, log } = options;
  let server: Server<Connection> | undefined;
  const hub = createHub({
    ...options,
    pubSub: {
      publish: (topic, text) => server?.publish(topic, text, false) ?? 0,
      subscriberCount: (topic) => server?.subscriberCount(topic) ?? 0,
    },
  });
  const guard = createGuard(options);
  const routes = createRoutes({ ...options, hub, guard });
  const websocket = websocketHandlers(config, log, hub);

  const pause = (ms: number): Promise<void> => new Promise((resolve) => runtime.after(ms, resolve));
  const flush = async (open: Server<Connection>): Promise<void> => {
    const deadlineMs = runtime.monotonicMs() + STOP_FLUSH_LIMIT_MS;
    while (open.pendingWebSockets + open.pendingRequests > 0 && runtime.monotonicMs() < deadlineMs) {
      await pause(10);
    }
  };

  return {
    hub,
    guard,
    async listen(where, operatorRoutes) {
      const listener = { config, log, routes: { ...routes, ...operatorRoutes }, websocket };
      server =
        "unix" in where
          ? await listenUnix(listener, where.unix)
          : listenTcp(listener, where.host, where.port, { tls: config.tls, isShared: where.isShared });
      return server.port;
    },
    unlisten() {
      // Not awaited: it resolves when the last WebSocket has gone (oven-sh/bun#34961).
      void server?.stop();
    },
    async stop() {
      await hub.stop();
      if (server === undefined) return;
      await flush(server);
      await server.stop(true);
    },
  };
}
