import { clientAddress } from "../auth/address.ts";
import { authorityOf } from "../auth/authority.ts";
import { type CorsHeaders, corsHeaders, preflightHeaders } from "../auth/cors.ts";
import type { ForwardAuth } from "../auth/forward.ts";
import { createOriginCheck } from "../auth/origin.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics, Refusal } from "../observe/metrics.ts";
import { CLOSE, type Close } from "../protocol/close.ts";
import type { Limits } from "./limits.ts";
import { type ProblemDetails, unavailable } from "./problem.ts";
import { pathOf, queryOf } from "./target.ts";

/** Whoever comes in vain gets one of these: the problem before an upgrade, the close code after one. */
export interface TurnedAway {
  readonly ok: false;
  readonly problem: ProblemDetails;
  readonly close: Close;
}
export type Admission = { readonly ok: true; readonly leave: () => void } | TurnedAway;

/** The part of Bun's server that says who is at the other end. */
export interface Peers {
  requestIP(request: Request): { address: string } | null;
  timeout(request: Request, seconds: number): void;
}

/** Who may come in, besides the secret (PROTOCOL.md, sections 1 and 4). */
export interface Guard {
  addressOf(request: Request, server: Peers): string;
  /** @returns what to answer a page of a foreign origin; undefined where the request may go on */
  checkOrigin(request: Request): ProblemDetails | undefined;
  cors(request: Request): CorsHeaders;
  /** The headers that answer an OPTIONS request; undefined for a foreign origin. */
  preflight(request: Request): CorsHeaders | undefined;
  /** Takes a place for a client that stays, and asks forward-auth. Whoever is admitted must `leave`. */
  admit(request: Request, server: Peers, address: string): Admission | Promise<Admission>;
  /** Asks forward-auth alone, for a request that is over at once. */
  identify(request: Request, server: Peers): Promise<TurnedAway | undefined>;
  /** Counts a wrong secret. @returns 429 for an address that has sent too many */
  wrongSecret(address: string): ProblemDetails | undefined;
}

export interface GuardOptions {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: Limits;
  /** Asks CLIENT_AUTH_URL; undefined where that is not set. */
  readonly forwardAuth: Pick<ForwardAuth, "check"> | undefined;
}

/** When those who found no place, or no answer of forward-auth, may try again. */
const RETRY_AFTER_S = 5;

/** Bun's own limit for a connection on which nothing happens. */
export const IDLE_TIMEOUT_S = 10;

export function createGuard({ config, log, metrics, limits, forwardAuth }: GuardOptions): Guard {
  const trustedProxies = config.TRUST_PROXY;
  const origins = createOriginCheck(config.ALLOWED_ORIGINS);
  const ownAuthority = (request: Request) =>
    authorityOf(request.headers, { trustedProxies, tls: config.tls !== undefined });
  const originOf = (request: Request): string | null => request.headers.get("origin");

  const turnAway = (reason: Refusal, address: string, problem: ProblemDetails, close: Close): TurnedAway => {
    metrics.refusals.add(reason);
    log.info?.("SECURITY", "guard", "Turned Away", { reason, address });
    return { ok: false, problem, close };
  };

  const addressOf = (request: Request, server: Peers): string =>
    clientAddress(server.requestIP(request)?.address, request.headers.get("x-forwarded-for"), trustedProxies);

  const ask = async (request: Request, server: Peers, address: string): Promise<TurnedAway | undefined> => {
    if (forwardAuth === undefined) return undefined;
    // Bun would cut a request that waits for 10 seconds; the time-out of forward-auth bounds it.
    server.timeout(request, 0);
    const { headers, signal } = request;
    const credentials = {
      cookie: headers.get("cookie"),
      authorization: headers.get("authorization"),
      token: queryOf(request).getAll("token").at(-1) ?? null,
      address,
      path: pathOf(request),
    };
    const { code, why } = await forwardAuth.check(credentials, signal);
    // It counts for the connection, which may stay open after the answer.
    server.timeout(request, IDLE_TIMEOUT_S);
    if (code === "allowed") return undefined;
    log.info?.("SECURITY", "guard", "Forward-auth", { verdict: code, why, address });
    if (code === "refused") {
      const detail = "the authentication service does not let this client in";
      const problem = { status: 403, code: "client_refused", title: "Forbidden", detail } as const;
      return turnAway("client_auth", address, problem, { ...CLOSE.policy, reason: "not authenticated" });
    }
    const detail = "the authentication service gives no answer";
    return turnAway(
      "client_auth_unavailable",
      address,
      unavailable("client_auth_unavailable", detail, RETRY_AFTER_S),
      { ...CLOSE.capacity, reason: detail },
    );
  };

  return {
    addressOf,
    checkOrigin(request) {
      const origin = originOf(request);
      // Not a page. Asked first, because a fleet that connects spends much of its handshakes on reading headers.
      if (origin === null) return undefined;
      const verdict = origins.verdict(origin, ownAuthority(request));
      if (verdict === "allowed") return undefined;
      metrics.refusals.add("origin");
      log.warning?.("SECURITY", "guard", "Foreign Origin", { origin });
      return {
        status: 403,
        code: "foreign_origin",
        title: "Forbidden",
        detail: "pages of this origin are not allowed here: see ALLOWED_ORIGINS",
        headers: { vary: "origin" },
      };
    },
    cors: (request) => corsHeaders(origins, originOf(request), ownAuthority(request)),
    preflight: (request) => preflightHeaders(origins, originOf(request), ownAuthority(request)),
    admit(request, server, address) {
      const place = limits.take(address);
      if (!place.ok) {
        const detail =
          place.reason === "capacity" ? "the hub is at capacity" : "too many connections from this address";
        return turnAway(place.reason, address, unavailable(place.reason, detail, RETRY_AFTER_S), {
          ...CLOSE.capacity,
          reason: detail,
        });
      }
      if (forwardAuth === undefined) return place;
      return ask(request, server, address).then((turnedAway) => {
        if (turnedAway === undefined) return place;
        place.leave();
        return turnedAway;
      });
    },
    identify: (request, server) => ask(request, server, addressOf(request, server)),
    wrongSecret(address) {
      const { retryAfterS, crossed } = limits.failure(address);
      if (retryAfterS === 0) return undefined;
      if (crossed) log.warning?.("SECURITY", "guard", "Too Many Wrong Secrets", { address });
      metrics.refusals.add("too_many_failures");
      return {
        status: 429,
        code: "too_many_failures",
        title: "Too many wrong secrets",
        detail: `this address has sent too many wrong secrets: try again in ${retryAfterS} seconds`,
        headers: { "retry-after": String(retryAfterS) },
      };
    },
  };
}
