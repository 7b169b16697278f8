/** Where a request was sent to, as its sender sees it: what an `Origin` is compared with to be the same. */
export interface Authority {
  /** Host and, unless it is the scheme's own, port; undefined where the request names none. */
  readonly host: string | undefined;
  /** Undefined where the hub cannot know: a proxy in front of it may speak TLS with the client. */
  readonly scheme: "http" | "https" | undefined;
}

export interface AuthorityOptions {
  /** As in `clientAddress`; 0 = `X-Forwarded-Host` and `X-Forwarded-Proto` are ignored. */
  readonly trustedProxies: number;
  /** Whether the hub's own listener speaks TLS. */
  readonly tls: boolean;
}

/** Reads `Host`, or what trusted proxies say in its place. */
export function authorityOf(
  headers: Pick<Headers, "get">,
  { trustedProxies, tls }: AuthorityOptions,
): Authority {
  const host = headers.get("host") || undefined;
  if (trustedProxies === 0) return { host, scheme: tls ? "https" : undefined };
  return {
    host: entryOf(headers.get("x-forwarded-host"), trustedProxies) ?? host,
    scheme: schemeOf(entryOf(headers.get("x-forwarded-proto"), trustedProxies)),
  };
}

/** The entry that the outermost trusted proxy wrote: most proxies set the header anew, some append to it. */
function entryOf(header: string | null, trustedProxies: number): string | undefined {
  return header?.split(",").slice(-trustedProxies)[0]?.trim() || undefined;
}

/** Some proxies name the scheme of the WebSocket, others that of the page. */
function schemeOf(proto: string | undefined): Authority["scheme"] {
  switch (proto?.toLowerCase()) {
    case "https":
    case "wss":
      return "https";
    case "http":
    case "ws":
      return "http";
    default:
      return undefined;
  }
}
