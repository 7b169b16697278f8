import type { Server } from "bun";
import { forwardAuthOf } from "./auth/forward.ts";
import { secretChecks } from "./auth/secret.ts";
import type { Backplane, Figures } from "./backplane/backplane.ts";
import { createLocalBackplane } from "./backplane/local.ts";
import { type Bridge, startBridge } from "./bridge/bridge.ts";
import type { Config } from "./config/schema.ts";
import { censusOf } from "./edge/census.ts";
import { createEdge } from "./edge/edge.ts";
import { createHealth } from "./edge/health.ts";
import { createLimits } from "./edge/limits.ts";
import { listenTcp, urlOf } from "./edge/listener.ts";
import { createOps } from "./edge/ops.ts";
import { createOpsRoutes } from "./edge/routes.ts";
import type { Connection } from "./hub/connection.ts";
import type { Log } from "./observe/log.ts";
import { createMetrics, type Metrics } from "./observe/metrics.ts";
import type { Runtime } from "./runtime.ts";

export interface App {
  /** Where the hub listens, e.g. `http://127.0.0.1:8000` or `unix:/run/vectra-hub.sock`. */
  readonly url: string;
  /** Where operators look, if that is elsewhere. */
  readonly opsUrl: string | undefined;
  /** Drains as DRAIN_DELAY_MS and DRAIN_TIMEOUT_MS say and frees the port. Resolves when that is done. */
  stop(): Promise<void>;
}

/** What every hub has once, however many threads it has. */
interface Parts {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly backplane: Backplane & Figures;
}

/**
 * Starts the hub: wires its parts together and listens.
 * @throws {JournalError} when the history file cannot be used, {RedisError} when Redis cannot, and {ListenError} when it cannot
 *   listen
 */
export async function start(config: Config, runtime: Runtime, log: Log): Promise<App> {
  const threads = config.THREADS === "auto" ? runtime.coreCount() : config.THREADS;
  // Not loaded where there is one thread.
  const core = threads === 1 ? undefined : await import("./threads/core/core.ts");
  const metrics = createMetrics();
  const backplane = await createBackplane({ config, runtime, log, metrics });
  const parts = { config, runtime, log, metrics, backplane };
  return core === undefined ? await startAlone(parts) : await core.startCore({ ...parts, threads });
}

async function createBackplane(parts: Omit<Parts, "backplane">): Promise<Backplane & Figures> {
  const { REDIS_URL } = parts.config;
  if (REDIS_URL === undefined) return createLocalBackplane(parts);
  const { createRedisBackplane } = await import("./backplane/redis/redis.ts");
  return createRedisBackplane({ ...parts, config: { ...parts.config, REDIS_URL } });
}

/** Everything in this thread. */
async function startAlone({ config, runtime, log, metrics, backplane }: Parts): Promise<App> {
  let operators: Server<Connection> | undefined;
  let bridge: Bridge | undefined;
  const { checkSecret, checkOperator } = secretChecks(config);
  const limits = createLimits(config, runtime);
  const forwardAuth = forwardAuthOf(config, runtime, checkSecret);
  const edge = createEdge({ config, runtime, log, metrics, backplane, limits, forwardAuth, checkSecret });
  const { hub, guard } = edge;
  const health = createHealth(backplane, hub.canary, () => bridge?.check());
  const ops = createOps({ config, runtime, census: censusOf(hub), backplane, metrics });
  const opsRoutes = createOpsRoutes({ config, log, metrics, guard, health, ops, checkOperator });

  const stopParts = async (): Promise<void> => {
    await edge.stop();
    await operators?.stop(true);
    ops.stop();
    await backplane.close();
  };
  let port: number | undefined;
  try {
    const { UNIX_SOCKET: unix, HOST: host, PORT, OPS_HOST, OPS_PORT } = config;
    const where = unix === undefined ? { host, port: PORT, isShared: false } : { unix };
    port = await edge.listen(where, OPS_PORT === undefined ? opsRoutes : {});
    if (OPS_PORT !== undefined) operators = listenTcp({ config, log, routes: opsRoutes }, OPS_HOST, OPS_PORT);
  } catch (error) {
    await stopParts();
    throw error;
  }
  if (config.BRIDGE_URL !== undefined) {
    bridge = startBridge({ config, bridgeUrl: config.BRIDGE_URL, runtime, log, hub });
  }
  return {
    url: config.UNIX_SOCKET === undefined ? urlOf(config, port) : `unix:${config.UNIX_SOCKET}`,
    opsUrl: operators && urlOf({ HOST: config.OPS_HOST, tls: undefined }, operators.port),
    async stop() {
      health.stopping();
      if (config.DRAIN_DELAY_MS > 0) {
        await new Promise<void>((resolve) => runtime.after(config.DRAIN_DELAY_MS, resolve));
      }
      edge.unlisten();
      // First: that the worker goes now is no reason for another connection to the API.
      bridge?.stop();
      // What conflation holds back is published while its receipts can still be sent.
      backplane.flush();
      await new Promise<void>((resolve) => runtime.soon(resolve));
      await hub.drain(config.DRAIN_TIMEOUT_MS);
      await stopParts();
    },
  };
}
