import { createSecretCheck } from "./auth/secret.ts";
import { createLocalBackplane } from "./backplane/local.ts";
import type { Config } from "./config/schema.ts";
import { createHealth } from "./edge/health.ts";
import { problem } from "./edge/problem.ts";
import { createRoutes, unknownPath } from "./edge/routes.ts";
import { websocketHandlers } from "./edge/websocket.ts";
import { createHub } from "./hub/hub.ts";
import type { Log } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import type { Runtime } from "./runtime.ts";

/** How long the close frames may take to leave before the sockets are cut. */
const STOP_FLUSH_LIMIT_MS = 500;

export interface App {
  /** Where the hub listens, e.g. `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Ends every connection with 1001 and frees the port. Resolves when that is done, under a deadline. */
  stop(): Promise<void>;
}

/**
 * Starts the hub: wires its parts together and listens.
 * @throws {JournalError} when the history file cannot be used, and the system's error when it cannot listen (EADDRINUSE …)
 */
export function start(config: Config, runtime: Runtime, log: Log): App {
  const backplane = createLocalBackplane(config, runtime);
  const metrics = createMetrics();
  const hub = createHub({
    config,
    runtime,
    log,
    backplane,
    metrics,
    pubSub: {
      publish: (topic, text) => server.publish(topic, text, false),
      subscriberCount: (topic) => server.subscriberCount(topic),
    },
  });
  const health = createHealth(backplane, () => undefined);
  const secrets = [config.WORKER_SECRET, config.WORKER_SECRET_PREVIOUS].filter(
    (secret) => secret !== undefined,
  );
  const checkSecret = createSecretCheck(secrets);

  const listen = (hostname: string) =>
    Bun.serve({
      hostname,
      port: config.PORT,
      // True in a compiled binary unless told otherwise, and its error page shows source.
      development: false,
      // With `development: false` this is on unless told otherwise, and a second hub would silently take half the traffic.
      reusePort: false,
      // The routes have limits of their own, which answer with a problem; Bun's answer would be a bare 413. A body that no
      // route reads is dropped as it comes and takes no memory.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      routes: createRoutes({ config, runtime, log, hub, health, checkSecret }),
      fetch: (request) => unknownPath(config, request),
      error(error) {
        log.error?.("FAIL", "http", "Unexpected error", { error: error.stack ?? error.message });
        return problem({
          status: 500,
          code: "fault",
          title: "Internal error",
          detail: "a fault in the hub; its log has the details",
        });
      },
      websocket: websocketHandlers(config, log, hub),
    });
  let server: ReturnType<typeof listen>;
  try {
    server = listenOn(config.HOST, listen);
  } catch (error) {
    backplane.close();
    throw error;
  }

  return {
    url: urlOf(config.HOST, server.port ?? config.PORT),
    async stop() {
      health.stopping();
      // What conflation holds back is published while its receipts can still be sent.
      hub.publisher.stop();
      await new Promise<void>((resolve) => runtime.soon(resolve));
      hub.stop();
      const deadlineMs = runtime.monotonicMs() + STOP_FLUSH_LIMIT_MS;
      while (server.pendingWebSockets + server.pendingRequests > 0 && runtime.monotonicMs() < deadlineMs) {
        await new Promise<void>((resolve) => runtime.after(10, resolve));
      }
      // Without `true` it would wait for every open WebSocket (oven-sh/bun#34961).
      await server.stop(true);
      backplane.close();
    },
  };
}

/** `::` takes IPv4 as well, but does not exist on a machine without IPv6. */
function listenOn<Server>(host: string, listen: (hostname: string) => Server): Server {
  try {
    return listen(host);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (host !== "::" || code === "EADDRINUSE" || code === "EACCES") throw error;
    return listen("0.0.0.0");
  }
}

function urlOf(host: string, port: number): string {
  if (host === "::" || host === "0.0.0.0") return `http://localhost:${port}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
