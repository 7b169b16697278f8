import type { Failed } from "./operation.ts";
import type { RedisConfig } from "./settings.ts";

/** Redis did nothing: the call is sent again after a new handshake. */
export const REPEATED: ReadonlySet<string> = new Set([
  "NOEPOCH",
  "NOSCRIPT",
  "LOADING",
  "BUSY",
  "MASTERDOWN",
]);

/** Redis is there and will not write; it did nothing. */
export const UNWRITABLE: ReadonlySet<string> = new Set(["OOM", "MISCONF", "NOREPLICAS"]);

export const ENDED: Failed = { ok: false, code: "backplane", detail: "the hub is about to end" };

/** For what was not sent in time. */
export function awayFor(timeoutMs: number): Failed {
  return {
    ok: false,
    code: "backplane",
    detail: `Redis could not be asked within ${timeoutMs} ms; nothing was taken`,
  };
}

/** For what was sent and not answered in time. */
export function unanswered(timeoutMs: number): Failed {
  const what = `Redis has not answered within ${timeoutMs} ms, so it is unknown whether this was taken`;
  return {
    ok: false,
    code: "backplane",
    detail: `${what}: to send it again under the same Idempotency-Key is safe`,
  };
}

/** For what finds too much waiting already. */
export function bufferFull(
  config: Pick<RedisConfig, "REDIS_BUFFER_MESSAGES" | "REDIS_BUFFER_BYTES">,
): Failed {
  const bounds = `REDIS_BUFFER_MESSAGES ${config.REDIS_BUFFER_MESSAGES}, REDIS_BUFFER_BYTES ${config.REDIS_BUFFER_BYTES}`;
  return {
    ok: false,
    code: "backplane",
    detail: `Redis is away or slow, and what waits for it has reached its bound (${bounds})`,
  };
}

/** @param code the first word of what Redis has answered; @param why all of it */
export function refusedBy(code: string | undefined, why: string): Failed {
  return code !== undefined && UNWRITABLE.has(code)
    ? { ok: false, code: "storage", detail: `Redis refuses to write: ${why}` }
    : { ok: false, code: "backplane", detail: `Redis has failed: ${why}` };
}
