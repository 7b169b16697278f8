/** Where this page's hub is. All of it is relative to the page, so that a proxy may put a prefix in front. */

const base = new URL(".", document.baseURI);
const token = new URLSearchParams(location.search).get("token");

/** The address for the client; a token in the page's own address (CLIENT_AUTH_URL) goes along. */
export function hubUrl(): string {
  const url = new URL(base);
  if (token !== null) url.searchParams.set("token", token);
  return url.href;
}

/** The address of an HTTP call, e.g. `api/v1/worker`. */
export function apiUrl(path: string): string {
  return new URL(path, base).href;
}

/** The address of a call that is made as a client. */
export function clientApiUrl(path: string): string {
  const url = new URL(path, base);
  if (token !== null) url.searchParams.set("token", token);
  return url.href;
}

/** A WebSocket that goes where the hub says that its WebSockets are (WS_PATHS), whatever path it is asked for. */
export class HubWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    const here = new URL(document.documentElement.dataset["websocket"] ?? "", base);
    here.protocol = base.protocol.replace("http", "ws");
    here.search = new URL(url).search;
    super(here, protocols);
  }
}

/** With OPS_PORT the hub's stats are on another port, where this page may not look. */
export const HAS_STATS = document.documentElement.dataset["stats"] === "here";
