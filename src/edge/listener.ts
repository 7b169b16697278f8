import { existsSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import type { Server, WebSocketHandler } from "bun";
import type { Config } from "../config/schema.ts";
import type { Connection } from "../hub/connection.ts";
import type { Log } from "../observe/log.ts";
import { problem } from "./problem.ts";
import { type Handler, unknownPath } from "./routes.ts";

/** What every listener of the hub is made of. */
export interface ListenerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly routes: Record<string, Handler>;
  readonly websocket: WebSocketHandler<Connection>;
}

/** The common part of the main listener and of that for operators. */
function serveOptions({ config, log, routes, websocket }: ListenerOptions) {
  return {
    // True in a compiled binary unless told otherwise, and its error page shows source.
    development: false,
    // The routes have limits of their own, which answer with a problem; this is for what reads no body at all.
    maxRequestBodySize: config.MAX_BATCH_BYTES + 1_048_576,
    routes,
    fetch: (request: Request) => unknownPath(config, request),
    error(error: Error) {
      log.error?.("FAIL", "http", "Unexpected error", { error: error.stack ?? error.message });
      return problem({
        status: 500,
        code: "fault",
        title: "Internal error",
        detail: "a fault in the hub; its log has the details",
      });
    },
    websocket,
  };
}

/**
 * Opens a listener on a TCP port.
 * @throws the system's error, e.g. with the code EADDRINUSE
 */
export function listenTcp(
  options: ListenerOptions,
  host: string,
  port: number,
  tls?: { readonly cert: string; readonly key: string },
): Server<Connection> {
  const listen = (hostname: string): Server<Connection> =>
    Bun.serve({
      ...serveOptions(options),
      hostname,
      port,
      // With `development: false` this is on unless told otherwise, and a second hub would silently take half the traffic.
      reusePort: false,
      ...(tls === undefined ? {} : { tls }),
    });
  try {
    return listen(host);
  } catch (error) {
    // `::` takes IPv4 as well, but does not exist on a machine without IPv6.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (host !== "::" || code === "EADDRINUSE" || code === "EACCES") throw error;
    return listen("0.0.0.0");
  }
}

/**
 * Opens a listener on a unix socket. The file of a process that was killed stays behind; it is removed when nobody answers.
 * @throws an error with the code EADDRINUSE when somebody does
 */
export async function listenUnix(options: ListenerOptions, path: string): Promise<Server<Connection>> {
  if (existsSync(path)) {
    if (await answers(path)) throw Object.assign(new Error(`${path} is in use`), { code: "EADDRINUSE" });
    unlinkSync(path);
  }
  return Bun.serve({ ...serveOptions(options), unix: path });
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/** The address as a person would open it. */
export function urlOf(host: string, port: number, scheme: "http" | "https"): string {
  if (host === "::" || host === "0.0.0.0") return `${scheme}://localhost:${port}`;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
