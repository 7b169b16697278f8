import type { Authority } from "./authority.ts";
import type { OriginCheck } from "./origin.ts";

/** How long a browser may keep a preflight's answer. */
const PREFLIGHT_MAX_AGE_S = 600;

export type CorsHeaders = Readonly<Record<string, string>>;

/**
 * What a client's GETs and the event stream carry, errors included, so that a page may read them (PROTOCOL.md, section 4;
 * the Fetch standard, section 3.2). With `*` a page reads them without cookies; an origin that is listed, with them.
 * @param origin the header; null where there is none
 */
export function corsHeaders(check: OriginCheck, origin: string | null, own: Authority): CorsHeaders {
  const exposed = { "access-control-expose-headers": "retry-after" };
  if (check.allowsAny) return { "access-control-allow-origin": "*", ...exposed };
  // Also where it is refused or missing: a cache must not hand this answer to another origin.
  if (origin === null || check.verdict(origin, own) !== "allowed") return { vary: "origin" };
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    ...exposed,
    vary: "origin",
  };
}

/**
 * The answer to an `OPTIONS` request on one of a client's GETs: 204 with these headers.
 * @returns undefined for an origin that is not let in: 403, without any of them
 */
export function preflightHeaders(
  check: OriginCheck,
  origin: string | null,
  own: Authority,
): CorsHeaders | undefined {
  const verdict = check.verdict(origin, own);
  if (verdict === "opaque" || verdict === "foreign") return undefined;
  return {
    ...corsHeaders(check, origin, own),
    allow: "GET, OPTIONS",
    "access-control-allow-methods": "GET",
    // What EventSource replacements send: a plain EventSource needs no preflight.
    "access-control-allow-headers": "authorization, cache-control, last-event-id",
    "access-control-max-age": String(PREFLIGHT_MAX_AGE_S),
  };
}
