import { VERSION } from "../version.ts";
import type { Role } from "./link.ts";

/** Where to connect, and as what (PROTOCOL.md, section 1: the API speaks the raw framing that the hub took over). */
export interface Address {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * @param bridgeUrl BRIDGE_URL; its path and query are kept
 * @param secret sent as a worker only, and as a header only: a query would stand in access logs
 */
export function addressFor(role: Role, bridgeUrl: string, secret: string): Address {
  const url = new URL(bridgeUrl);
  url.searchParams.set("client_type", role);
  // A WebSocket refuses a URL with a fragment.
  url.hash = "";
  // A hub refuses the second one: were BRIDGE_URL to lead to a hub, each message would go round for ever.
  const always = { "user-agent": `vectra-hub/${VERSION}`, "x-vectra-bridge": "1" };
  if (role === "client") return { url: url.href, headers: always };
  // A header's characters are bytes. Python's clients send UTF-8, so a secret beyond ASCII goes out like theirs.
  const bytes = Buffer.from(secret).toString("latin1");
  return { url: url.href, headers: { ...always, "x-worker-secret": bytes } };
}

/** What of BRIDGE_URL may be logged: a query or user info may hold a secret. */
export function loggable(bridgeUrl: string): string {
  const { protocol, host, pathname } = new URL(bridgeUrl);
  return `${protocol}//${host}${pathname}`;
}
