import type { BunRequest, Server } from "bun";
import { checkCaller } from "../auth/caller.ts";
import type { SecretCheck } from "../auth/secret.ts";
import type { Backplane } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Connection } from "../hub/connection.ts";
import type { Hub } from "../hub/hub.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import { createConsole } from "./console-page.ts";
import { createContractRoutes } from "./contract.ts";
import { createEventsRoute } from "./events.ts";
import type { Guard } from "./guard.ts";
import { createHandshake } from "./handshake.ts";
import type { Health } from "./health.ts";
import type { Ops } from "./ops.ts";
import { methodNotAllowed, notFound, problem, unauthorized } from "./problem.ts";
import { createPublishRoute } from "./publish.ts";
import { pathOf } from "./target.ts";
import { commandState, createCommandRoute, workerState } from "./worker.ts";

/**
 * How long a backend may take to send its body and to wait for its receipt, which conflation holds back for up to a minute.
 * Bun would cut both after ten-odd seconds, however lively the connection is; those who show no secret it should.
 */
const BACKEND_TIMEOUT_S = 120;

/** What answers a request; undefined once it has become a WebSocket. */
export type Handler = (
  request: BunRequest,
  server: Server<Connection>,
) => Response | undefined | Promise<Response | undefined>;

export interface RoutesOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly hub: Hub;
  readonly backplane: Pick<Backplane, "worker" | "command">;
  readonly metrics: Metrics;
  readonly guard: Guard;
  readonly checkSecret: SecretCheck;
}

/** The paths of clients, workers and backends (PROTOCOL.md, sections 1 and 4). */
export function createRoutes(options: RoutesOptions): Record<string, Handler> {
  const { config, runtime, log, hub, backplane, guard, checkSecret } = options;
  const { commands, sse } = hub;
  const secret = (run: Handler): Handler => authenticated(options, checkSecret, run);
  const events = createEventsRoute(sse, runtime, log, guard);
  const handshake = createHandshake(options);
  const contract = createContractRoutes(config);

  return {
    "/api/v1/publish": only({ POST: secret(createPublishRoute(config, hub)) }),
    "/api/v1/worker/messages": only({ POST: secret(createCommandRoute(commands)) }),
    "/api/v1/worker/messages/:id": only({
      GET: secret((request) => commandState(backplane, request.params["id" as never] ?? "")),
    }),
    "/api/v1/worker": asClient(
      guard,
      only({
        async GET(request, server) {
          // A backend is no client: its secret says enough.
          const isBackend = checkCaller(checkSecret, request.headers) === "accepted";
          const turnedAway = isBackend ? undefined : await guard.identify(request, server);
          return turnedAway === undefined ? workerState(backplane) : problem(turnedAway.problem);
        },
      }),
    ),
    "/api/v1/events": asClient(guard, only({ GET: events })),
    "/openapi.json": only({ GET: contract.openapi }),
    "/asyncapi.json": only({ GET: contract.asyncapi }),
    ...(config.CONSOLE ? consoleRoutes(options) : {}),
    ...Object.fromEntries(config.WS_PATHS.map((path) => [path, handshake])),
  };
}

function consoleRoutes(options: RoutesOptions): Record<string, Handler> {
  const { page, file } = createConsole(options);
  return { "/": only({ GET: page }), "/console/:file": only({ GET: file }) };
}

export interface OpsRoutesOptions {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly guard: Guard;
  readonly health: Pick<Health, "live" | "ready">;
  readonly ops: Pick<Ops, "metrics" | "stats">;
  /** Takes the worker secret and OPS_TOKEN. */
  readonly checkOperator: SecretCheck;
}

/** The paths of operators (PROTOCOL.md, section 4): on a listener of their own where OPS_PORT is set. */
export function createOpsRoutes(options: OpsRoutesOptions): Record<string, Handler> {
  const { config, health, ops, checkOperator } = options;
  const operator = (run: Handler): Handler => authenticated(options, checkOperator, run);
  const metricsAreOpen = config.ENV !== "production" || config.OPS_PORT !== undefined;
  return {
    "/healthz": only({ GET: () => health.live() }),
    "/readyz": only({ GET: () => health.ready() }),
    "/metrics": only({ GET: metricsAreOpen ? () => ops.metrics() : operator(() => ops.metrics()) }),
    "/api/v1/stats": only({ GET: operator(() => ops.stats()) }),
  };
}

function authenticated(
  { log, metrics, guard }: Pick<RoutesOptions, "log" | "metrics" | "guard">,
  check: SecretCheck,
  run: Handler,
): Handler {
  return (request, server) => {
    const verdict = checkCaller(check, request.headers);
    if (verdict === "accepted") {
      server.timeout(request, BACKEND_TIMEOUT_S);
      return run(request, server);
    }
    metrics.authFailures.add(verdict);
    const tooMany = verdict === "wrong" ? guard.wrongSecret(guard.addressOf(request, server)) : undefined;
    if (tooMany !== undefined) return problem(tooMany);
    log.warning?.("SECURITY", "http", "Unauthorized Request", { path: pathOf(request), secret: verdict });
    return problem(unauthorized(verdict));
  };
}

/** What pages of other sites may read, if they are allowed: refuses foreign ones, and says so to the others (CORS). */
function asClient(guard: Guard, run: Handler): Handler {
  return async (request, server) => {
    if (request.method === "OPTIONS") {
      const headers = guard.preflight(request);
      if (headers !== undefined) return new Response(null, { status: 204, headers });
    }
    const foreign = guard.checkOrigin(request);
    if (foreign !== undefined) return problem(foreign);
    const response = await run(request, server);
    for (const [name, value] of Object.entries(guard.cors(request))) response?.headers.set(name, value);
    return response;
  };
}

/** Serves these methods and answers 405 to others; HEAD is served wherever GET is. */
function only(handlers: Readonly<Record<string, Handler>>): Handler {
  const allowed = Object.keys(handlers).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  return (request, server) => {
    const handler = handlers[request.method === "HEAD" ? "GET" : request.method];
    return handler === undefined
      ? problem(methodNotAllowed(request.method, allowed))
      : handler(request, server);
  };
}

/** The answer for every other path. */
export function unknownPath(config: Pick<Config, "WS_PATHS">, request: Request): Response {
  return problem(
    notFound(`${pathOf(request)} does not exist; WebSockets are at ${config.WS_PATHS.join(" and ")}`),
  );
}
