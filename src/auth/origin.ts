import { isWeb, normalOrigin, type Rule, readRule } from "../protocol/origins.ts";
import type { Authority } from "./authority.ts";

/** `missing` and `allowed` enter. `opaque` is the origin `null`, of sandboxed frames and local files. */
export type OriginVerdict = "missing" | "allowed" | "opaque" | "foreign";

export interface OriginCheck {
  /** Whether all may enter, so that answers need not differ by origin. */
  readonly allowsAny: boolean;
  /** @param origin the header; null where there is none, as from what is no browser */
  verdict(origin: string | null, own: Authority): OriginVerdict;
}

/**
 * Decides who may open a socket or read a stream from a web page (PROTOCOL.md, sections 1 and 4; RFC 6455, section 10.2).
 * `same-origin` believes the `Host` header, so it does not keep out a page whose own name is made to point at the hub's
 * address (DNS rebinding); a list of origins does.
 * @param origins as `parseOrigins` returns them
 * @throws Error where an entry is none
 */
export function createOriginCheck(origins: readonly string[]): OriginCheck {
  const rules = origins.map((entry) => {
    const read = readRule(entry);
    if (read.kind === "wrong") throw new Error(`ALLOWED_ORIGINS ${read.why}`);
    return read;
  });
  const allowsAny = rules.some(({ kind }) => kind === "any");
  return {
    allowsAny,
    verdict(origin, own) {
      if (origin === null) return "missing";
      if (allowsAny) return "allowed";
      if (origin === "null") return "opaque";
      const normal = normalOrigin(origin);
      if (normal === undefined) return "foreign";
      return rules.some((rule) => matches(rule, normal, own)) ? "allowed" : "foreign";
    },
  };
}

function matches(rule: Rule, origin: string, own: Authority): boolean {
  switch (rule.kind) {
    case "any":
      return true;
    case "exact":
      return origin === rule.origin;
    case "same":
      return isSame(origin, own);
    case "below": {
      const { protocol, hostname, port } = new URL(origin);
      return (
        (rule.protocol === undefined ? isWeb(protocol) : protocol === rule.protocol) &&
        hostname.length > rule.suffix.length &&
        hostname.endsWith(rule.suffix) &&
        port === rule.port
      );
    }
  }
}

/** A `Host` without a port means the port of the scheme that the page has: the hub may not know its own. */
function isSame(origin: string, { host, scheme }: Authority): boolean {
  const { protocol } = new URL(origin);
  if (host === undefined || !isWeb(protocol)) return false;
  if (scheme !== undefined && protocol !== `${scheme}:`) return false;
  return normalOrigin(`${protocol}//${host}`) === origin;
}
