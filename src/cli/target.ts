import { z } from "zod";
import type { Flag } from "./command.ts";
import { readSettings } from "./settings.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** Where a hub is. */
export interface Target {
  /** As a person would write it; it holds no secret. */
  readonly shown: string;
  /** The address of a path for `fetch`, and what has to be passed along. */
  http(path: string): { readonly url: string; readonly init: BunFetchRequestInit };
  /** The same for a WebSocket. */
  webSocket(path: string): { readonly url: string; readonly options: Bun.WebSocketOptions };
}

const SCHEMES: Readonly<Record<string, "http" | "https">> = {
  "http:": "http",
  "https:": "https",
  "ws:": "http",
  "wss:": "https",
};

const targetSchema = z.string().transform((text, context): Target => {
  const wrong = (message: string): never => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    return path.startsWith("/") ? unixTarget(path) : wrong("names no absolute path, like unix:/run/hub.sock");
  }
  if (!URL.canParse(text)) return wrong("is no address like http://127.0.0.1:8000");
  const url = new URL(text);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) return wrong("is no address that begins with http://, https:// or unix:");
  // User info and queries end up in logs; and nothing here needs them.
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    return wrong("holds more than scheme, host, port and path");
  return tcpTarget(scheme, url.host, url.pathname.replace(/\/+$/, ""), {
    isNear: isLoopback(url.hostname),
    isOwn: false,
  });
});

/** `--url`, of every command that talks to a hub. */
export const urlFlag = {
  help: "where the hub is: http://, https:// or unix:/path (default: as the environment says)",
  value: "URL",
  schema: targetSchema,
} satisfies Flag;

/** What such a command reads of the environment to find the hub. */
export const TARGET_ENVIRONMENT = [
  ["HOST, PORT, TLS_CERT_FILE, UNIX_SOCKET", "without --url: the hub's settings, to find it on this machine"],
] as const;

/** The hub that `--url` names, or that this machine's settings describe. @returns the exit code where there is none */
export function findTarget(given: Target | undefined, terminal: Terminal): Target | number {
  if (given !== undefined) return given;
  const read = readSettings(["HOST", "PORT", "TLS_CERT_FILE", "UNIX_SOCKET"], terminal.env);
  if (!read.ok) {
    for (const line of read.problems) terminal.say(line);
    return EXIT.usage;
  }
  const { HOST, PORT, TLS_CERT_FILE, UNIX_SOCKET } = read.settings;
  if (UNIX_SOCKET !== undefined) return unixTarget(UNIX_SOCKET);
  if (PORT === 0) {
    terminal.say("PORT=0 takes any port, so where the hub is cannot be known: name it with --url");
    return EXIT.usage;
  }
  return ownTarget(TLS_CERT_FILE === undefined ? "http" : "https", HOST, PORT);
}

/**
 * A hub on this machine. Its certificate is not checked: it is made for the name by which others know the hub.
 * @param host what it listens on; undefined stands for every address or loopback, and loopback is part of both
 */
export function ownTarget(scheme: "http" | "https", host: string | undefined, port: number): Target {
  const everywhere = host === undefined || host === "::" || host === "0.0.0.0";
  const address = everywhere ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return tcpTarget(scheme, `${address}:${port}`, "", { isNear: true, isOwn: true });
}

/**
 * @param isNear on this machine: no proxy leads there
 * @param isOwn just the hub that the settings describe: its certificate is taken as it is
 */
function tcpTarget(
  scheme: "http" | "https",
  host: string,
  prefix: string,
  { isNear, isOwn }: { readonly isNear: boolean; readonly isOwn: boolean },
): Target {
  const tls = scheme === "https" && isOwn ? { tls: { rejectUnauthorized: false } } : {};
  const shown = `${scheme}://${host}${prefix}`;
  return {
    shown,
    http: (path) => ({ url: `${shown}${path}`, init: { ...tls, ...(isNear ? { proxy: false } : {}) } }),
    webSocket: (path) => ({ url: `${shown.replace("http", "ws")}${path}`, options: tls }),
  };
}

export function unixTarget(socketPath: string): Target {
  return {
    shown: `unix:${socketPath}`,
    http: (path) => ({ url: `http://localhost${path}`, init: { unix: socketPath } }),
    webSocket: (path) => ({ url: `ws+unix://${socketPath}:${path}`, options: {} }),
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
