import type { Server } from "bun";
import { createSecretCheck } from "./auth/secret.ts";
import { createLocalBackplane } from "./backplane/local.ts";
import { type Bridge, startBridge } from "./bridge/bridge.ts";
import type { Config } from "./config/schema.ts";
import { createGuard } from "./edge/guard.ts";
import { createHealth } from "./edge/health.ts";
import { type ListenerOptions, listenTcp, listenUnix, urlOf } from "./edge/listener.ts";
import { createOps } from "./edge/ops.ts";
import { createOpsRoutes, createRoutes } from "./edge/routes.ts";
import { websocketHandlers } from "./edge/websocket.ts";
import type { Connection } from "./hub/connection.ts";
import { createHub } from "./hub/hub.ts";
import type { Log } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import type { Runtime } from "./runtime.ts";

/** How long the last frames may take to leave before the sockets are cut. */
const STOP_FLUSH_LIMIT_MS = 2_000;

export interface App {
  /** Where the hub listens, e.g. `http://127.0.0.1:8000` or `unix:/run/vectra-hub.sock`. */
  readonly url: string;
  /** Where operators look, if that is elsewhere. */
  readonly opsUrl: string | undefined;
  /** Drains as DRAIN_DELAY_MS and DRAIN_TIMEOUT_MS say and frees the port. Resolves when that is done. */
  stop(): Promise<void>;
}

/**
 * Starts the hub: wires its parts together and listens.
 * @throws {JournalError} when the history file cannot be used, and {ListenError} when it cannot listen
 */
export async function start(config: Config, runtime: Runtime, log: Log): Promise<App> {
  let main: Server<Connection> | undefined;
  let operators: Server<Connection> | undefined;
  let bridge: Bridge | undefined;

  const metrics = createMetrics();
  const backplane = createLocalBackplane({ config, runtime, log, metrics });
  const hub = createHub({
    config,
    runtime,
    log,
    backplane,
    metrics,
    pubSub: {
      publish: (topic, text) => main?.publish(topic, text, false) ?? 0,
      subscriberCount: (topic) => main?.subscriberCount(topic) ?? 0,
    },
  });
  const health = createHealth(backplane, hub.canary, () => bridge?.check());
  const ops = createOps({ config, runtime, hub, backplane, metrics });
  const secrets = [config.WORKER_SECRET, config.WORKER_SECRET_PREVIOUS].filter(
    (secret) => secret !== undefined,
  );
  const checkSecret = createSecretCheck(secrets);
  const checkOperator = createSecretCheck(
    config.OPS_TOKEN === undefined ? secrets : [...secrets, config.OPS_TOKEN],
  );

  const guard = createGuard({ config, runtime, log, metrics, checkSecret });
  const routes = createRoutes({ config, runtime, log, hub, backplane, metrics, guard, checkSecret });
  const opsRoutes = createOpsRoutes({ config, log, metrics, guard, health, ops, checkOperator });
  const websocket = websocketHandlers(config, log, hub);
  const listener = (served: ListenerOptions["routes"]): ListenerOptions => ({
    config,
    log,
    routes: served,
    websocket,
  });

  const stopParts = async (): Promise<void> => {
    await hub.stop(0);
    ops.stop();
    await backplane.close();
  };
  try {
    const served = listener(config.OPS_PORT === undefined ? { ...routes, ...opsRoutes } : routes);
    main =
      config.UNIX_SOCKET === undefined
        ? listenTcp(served, config.HOST, config.PORT, config.tls)
        : await listenUnix(served, config.UNIX_SOCKET);
    if (config.OPS_PORT !== undefined)
      operators = listenTcp(listener(opsRoutes), config.OPS_HOST, config.OPS_PORT);
  } catch (error) {
    await main?.stop(true);
    await stopParts();
    throw error;
  }
  const server = main;
  if (config.BRIDGE_URL !== undefined) {
    bridge = startBridge({ config, bridgeUrl: config.BRIDGE_URL, runtime, log, hub });
  }
  const pause = (ms: number): Promise<void> => new Promise((resolve) => runtime.after(ms, resolve));
  const tcpUrl = urlOf(config.HOST, server.port ?? config.PORT, config.tls === undefined ? "http" : "https");

  return {
    url: config.UNIX_SOCKET === undefined ? tcpUrl : `unix:${config.UNIX_SOCKET}`,
    opsUrl: operators && urlOf(config.OPS_HOST, operators.port ?? 0, "http"),
    async stop() {
      health.stopping();
      if (config.DRAIN_DELAY_MS > 0) await pause(config.DRAIN_DELAY_MS);
      // Not awaited: it resolves when the last WebSocket has gone (oven-sh/bun#34961). Who is connected stays for now.
      void server.stop();
      // First: that the worker goes now is no reason for another connection to the API.
      bridge?.stop();
      // What conflation holds back is published while its receipts can still be sent.
      backplane.flush();
      await new Promise<void>((resolve) => runtime.soon(resolve));
      await hub.stop(config.DRAIN_TIMEOUT_MS);
      const deadlineMs = runtime.monotonicMs() + STOP_FLUSH_LIMIT_MS;
      while (server.pendingWebSockets + server.pendingRequests > 0 && runtime.monotonicMs() < deadlineMs) {
        await pause(10);
      }
      await server.stop(true);
      await operators?.stop(true);
      ops.stop();
      await backplane.close();
    },
  };
}
