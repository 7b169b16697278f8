import { createHash } from "node:crypto";
import type { Config } from "../config/schema.ts";
import type { Runtime } from "../runtime.ts";
import { VERSION } from "../version.ts";
import { UNKNOWN_ADDRESS } from "./address.ts";
import type { SecretCheck } from "./secret.ts";
import { createSlots } from "./slots.ts";
import { createTable } from "./table.ts";

/** So many questions are under way at once, so many more wait for their turn, and beyond that the answer is `unavailable`. */
export const FORWARD_RUNNING_MAX = 64;
export const FORWARD_WAITING_MAX = 1_024;

/** How many positive answers are kept. */
export const FORWARD_CACHED_MAX = 10_000;

/** What a client's request says about who it is. */
export interface Credentials {
  /** The headers; null where there is none. */
  readonly cookie: string | null;
  readonly authorization: string | null;
  /** The query parameter, decoded; null where there is none. */
  readonly token: string | null;
  /** As `clientAddress` gives it. */
  readonly address: string;
  /** The path of the request, without its query, which may hold secrets. */
  readonly path: string;
}

/**
 * - `allowed`: a 2xx, now or remembered
 * - `refused` (403, or 1008): a 3xx, 401 or 403, or a token that no header can carry
 * - `unavailable` (503, or 1013): any other answer, none in time, or too many questions at once
 *
 * `why` is for the log and holds nothing that the client or the endpoint chose.
 */
export interface ForwardVerdict {
  readonly code: "allowed" | "refused" | "unavailable";
  readonly why: string;
}

export interface ForwardAuth {
  /** @param gone aborted when the client has left, so that nothing more is done for him: a Request's `signal` */
  check(credentials: Credentials, gone?: AbortSignal): Promise<ForwardVerdict>;
  stats(): { readonly running: number; readonly waiting: number; readonly cached: number };
}

/** As it is configured; undefined where CLIENT_AUTH_URL is not set. */
export function forwardAuthOf(
  config: Pick<Config, "CLIENT_AUTH_URL" | "CLIENT_AUTH_TIMEOUT_MS" | "CLIENT_AUTH_CACHE_MS">,
  runtime: Runtime,
  checkSecret: SecretCheck,
): ForwardAuth | undefined {
  return config.CLIENT_AUTH_URL === undefined
    ? undefined
    : createForwardAuth({
        url: config.CLIENT_AUTH_URL,
        timeoutMs: config.CLIENT_AUTH_TIMEOUT_MS,
        cacheMs: config.CLIENT_AUTH_CACHE_MS,
        checkSecret,
        runtime,
        fetch: runtime.fetch,
      });
}

export interface ForwardAuthOptions {
  /** CLIENT_AUTH_URL, as the configuration has checked it. */
  readonly url: string;
  /** From the call of `check` to its verdict, the wait for a turn included. */
  readonly timeoutMs: number;
  /** How long a positive answer counts; 0 = every check asks. */
  readonly cacheMs: number;
  readonly checkSecret: SecretCheck;
  readonly runtime: Pick<Runtime, "monotonicMs" | "after">;
  readonly fetch: (url: string, init: BunFetchRequestInit) => Promise<Response>;
}

/**
 * Asks the endpoint at CLIENT_AUTH_URL whether a client may enter (PROTOCOL.md, section 4, "Clients"): one GET with the
 * client's `Cookie` and `Authorization`, or its token as `Authorization: Bearer`, with its address as `X-Forwarded-For` and
 * the path asked for as `X-Forwarded-Uri`. No `X-Forwarded-Host`: a client writes into `Host` what he likes, and an
 * endpoint might decide by it. Redirects are not followed, and only the status counts: a body is not waited for.
 */
export function createForwardAuth(options: ForwardAuthOptions): ForwardAuth {
  const { url, timeoutMs, cacheMs, checkSecret, runtime } = options;
  const slots = createSlots({ maxRunning: FORWARD_RUNNING_MAX, maxWaiting: FORWARD_WAITING_MAX });
  const allowed = createTable<true>({ maxEntries: FORWARD_CACHED_MAX, ttlMs: cacheMs, runtime });

  const ask = async (headers: Record<string, string>, signal: AbortSignal): Promise<ForwardVerdict> => {
    try {
      const response = await options.fetch(url, {
        headers,
        signal,
        redirect: "manual",
        // Nobody reads the body, so a small one that packs a large one must not be unpacked either.
        decompress: false,
      });
      discard(response);
      return verdictOf(response.status);
    } catch (error) {
      return { code: "unavailable", why: signal.aborted ? String(signal.reason) : causeOf(error) };
    }
  };

  const askInTurn = async (headers: Record<string, string>, signal: AbortSignal): Promise<ForwardVerdict> => {
    const entry = await slots.enter(signal);
    if (entry === "full") return { code: "unavailable", why: "too many at once" };
    if (entry === "aborted") return { code: "unavailable", why: String(signal.reason) };
    try {
      return await ask(headers, signal);
    } finally {
      slots.leave();
    }
  };

  return {
    async check(credentials, gone) {
      const headers = headersFor(credentials, checkSecret);
      if (headers === undefined) return { code: "refused", why: "token that no header can carry" };
      const key = cacheMs === 0 ? undefined : digestOf(headers);
      if (key !== undefined && allowed.get(key)) return { code: "allowed", why: "remembered" };

      const ending = new AbortController();
      const cancelTimeout = runtime.after(timeoutMs, () => ending.abort("no answer in time"));
      const leave = (): void => ending.abort("client gone");
      if (gone?.aborted) leave();
      gone?.addEventListener("abort", leave);
      try {
        const verdict = await askInTurn(headers, ending.signal);
        if (verdict.code === "allowed" && key !== undefined) allowed.set(key, true);
        return verdict;
      } finally {
        cancelTimeout();
        gone?.removeEventListener("abort", leave);
      }
    },
    stats: () => ({ running: slots.running(), waiting: slots.waiting(), cached: allowed.size() }),
  };
}

/** @returns undefined where the token is nothing that may stand in a header (RFC 6750, section 2.1, taken generously) */
function headersFor(credentials: Credentials, checkSecret: SecretCheck): Record<string, string> | undefined {
  const { cookie, token, address, path } = credentials;
  const headers: Record<string, string> = {
    "user-agent": `vectra-hub/${VERSION}`,
    "x-forwarded-uri": path,
  };
  if (address !== UNKNOWN_ADDRESS) headers["x-forwarded-for"] = address;
  if (cookie) headers["cookie"] = cookie;
  if (credentials.authorization) {
    if (!carriesSecret(credentials.authorization, checkSecret)) {
      headers["authorization"] = credentials.authorization;
    }
  } else if (token && checkSecret(null, token) !== "accepted") {
    if (!/^[\x21-\x7e]+$/.test(token)) return undefined;
    headers["authorization"] = `Bearer ${token}`;
  }
  return headers;
}

/** The hub's own HTTP calls take the worker secret as `Authorization: Bearer`; from there it must not travel on. */
function carriesSecret(authorization: string, checkSecret: SecretCheck): boolean {
  const credential = authorization.replace(/^\S+\s+/, "");
  return [authorization, credential].some((text) => checkSecret(text, null) === "accepted");
}

/** Of all that is sent, not only of the credentials: the endpoint may decide by the address or the path as well. */
function digestOf(headers: Record<string, string>): string {
  return createHash("sha256").update(JSON.stringify(headers)).digest("base64");
}

function verdictOf(status: number): ForwardVerdict {
  const why = `status ${status}`;
  if (status >= 200 && status <= 299) return { code: "allowed", why };
  if ((status >= 300 && status <= 399) || status === 401 || status === 403) return { code: "refused", why };
  return { code: "unavailable", why };
}

/** Ends the connection if more of the body is to come; a short one is there already, and its connection is used again. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** The system's code alone: a message may hold the URL. */
function causeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^[A-Za-z_]{1,40}$/.test(code) ? code : "no answer";
}
