/** Where a hub's WebSocket and its event stream are. */
export interface Address {
  webSocket(query: Readonly<Record<string, string | undefined>>): string;
  events(query: Readonly<Record<string, string | undefined>>): string;
}

const SCHEMES: Readonly<Record<string, "http" | "https">> = {
  "http:": "http",
  "https:": "https",
  "ws:": "http",
  "wss:": "https",
};

/**
 * Reads the address that `connect` and `connectWorker` are given: that of the hub (`https://hub.example`, with a path in
 * front of the hub's own where a proxy adds one), or of its WebSocket: anything that ends in `/ws`, or begins with `ws://` or
 * `wss://` and has a path. Its own query, for instance `?token=…` for a hub with CLIENT_AUTH_URL, is sent along.
 * @throws TypeError for anything else
 */
export function readAddress(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = SCHEMES[url?.protocol ?? ""];
  if (url === undefined || scheme === undefined)
    throw new TypeError("the address of a hub begins with http://, https://, ws:// or wss://");
  const path = url.pathname.replace(/\/+$/, "");
  const isWebSocket = path.endsWith("/ws") || (path !== "" && url.protocol.startsWith("ws"));
  const ownPath = /^(.*?)(\/api\/v1)?\/ws$/.exec(path);
  const prefix = isWebSocket ? (ownPath?.[1] ?? "") : path;
  const webSocketPath = isWebSocket ? path : `${prefix}/api/v1/ws`;
  const build =
    (protocol: string, pathname: string): Address["webSocket"] =>
    (query) => {
      const all = new URLSearchParams(url.search);
      for (const [name, value] of Object.entries(query)) if (value !== undefined) all.set(name, value);
      const search = all.size === 0 ? "" : `?${all}`;
      return `${protocol}://${url.host}${pathname}${search}`;
    };
  return {
    webSocket: build(scheme.replace("http", "ws"), webSocketPath),
    events: build(scheme, `${prefix}/api/v1/events`),
  };
}
