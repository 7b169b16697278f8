import { lstatSync, unlinkSync } from "node:fs";
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
  /** Left out where no path speaks WebSocket. */
  readonly websocket?: WebSocketHandler<Connection>;
}

/** Says in one line why the hub cannot listen, and what to do about it. */
export class ListenError extends Error {}

const NO_WEBSOCKET: WebSocketHandler<Connection> = { message: () => undefined };

/** The common part of the main listener and of that for operators. */
function serveOptions({ config, log, routes, websocket = NO_WEBSOCKET }: ListenerOptions) {
  return {
    // True in a compiled binary unless told otherwise, and its error page shows source.
    development: false,
    // The routes have limits of their own, which answer with a problem; Bun's answer would be a bare 413. A body that no
    // route reads is dropped as it comes and takes no memory.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
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
 * @param isShared other threads of this process listen there, too
 * @throws {ListenError}
 */
export function listenTcp(
  options: ListenerOptions,
  host: string,
  port: number,
  { tls, isShared = false }: { readonly tls?: Config["tls"]; readonly isShared?: boolean } = {},
): Server<Connection> {
  const listen = (hostname: string): Server<Connection> =>
    Bun.serve({
      ...serveOptions(options),
      hostname,
      port,
      // With `development: false` this is on unless told otherwise, and a second hub would silently take half the traffic.
      reusePort: isShared,
      ...(tls === undefined ? {} : { tls }),
    });
  try {
    try {
      return listen(host);
    } catch (error) {
      // `::` takes IPv4 as well, but does not exist on a machine without IPv6.
      const code = codeOf(error);
      if (host !== "::" || code === "EADDRINUSE" || code === "EACCES") throw error;
      return listen("0.0.0.0");
    }
  } catch (error) {
    throw refusalOf(`${host} port ${port}`, error, "take one above 1023", "take an address of this machine");
  }
}

/**
 * Opens a listener on a unix socket. The file of a process that was killed stays behind; it is removed when nobody answers.
 * @throws {ListenError} also when somebody does, or when the file is something else
 */
export async function listenUnix(options: ListenerOptions, path: string): Promise<Server<Connection>> {
  try {
    const present = lstatSync(path, { throwIfNoEntry: false });
    if (present?.isSocket() === false) throw new Error("the file exists and is no socket");
    if (present !== undefined) {
      if (await isServed(path)) throw Object.assign(new Error("somebody answers"), { code: "EADDRINUSE" });
      unlinkSync(path);
    }
    return Bun.serve({ ...serveOptions(options), unix: path });
  } catch (error) {
    const repair = "set UNIX_SOCKET to a path where the hub may make a file";
    throw refusalOf(path, error, repair, repair);
  }
}

/** Only a refused connection shows that nobody listens: whoever has too much to do, or lets us not in, does. */
function isServed(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  return promise.finally(() => socket.destroy());
}

function refusalOf(where: string, error: unknown, ifForbidden: string, otherwise: string): ListenError {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new ListenError(`${where} is in use: stop the other process, or listen elsewhere`);
    case "EACCES":
      return new ListenError(`${where} may not be opened by this user: ${ifForbidden}`);
    default: {
      const why = error instanceof Error ? error.message : String(error);
      return new ListenError(`cannot listen on ${where}: ${why}; ${otherwise}`);
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The address as a person would open it. */
export function urlOf({ HOST: host, tls }: Pick<Config, "HOST" | "tls">, port = 0): string {
  const scheme = tls === undefined ? "http" : "https";
  if (host === "::" || host === "0.0.0.0") return `${scheme}://localhost:${port}`;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
