import { createBackoff } from "../protocol/backoff.ts";
import type { Runtime } from "../runtime.ts";
import { type Call, type Called, call } from "./call.ts";
import type { Target } from "./target.ts";

/** For how long a request that may be repeated is tried again. */
export const RETRY_LIMIT_MS = 30_000;
const RETRY_FIRST_MS = 200;
const RETRY_LONGEST_MS = 5_000;
/** What a hub, or a proxy before it, answers while it is not ready. */
const NOT_NOW = new Set([502, 503, 504]);

export interface Persistent {
  /**
   * Makes a request again and again while the hub is away or not ready, up to `RETRY_LIMIT_MS`. Only for what can be repeated:
   * a GET, or a POST with an idempotency key.
   * @param isFinal answers 502 to 504 that are no passing trouble
   */
  call(request: Call, isFinal?: (answer: Extract<Called, { ok: true }>) => boolean): Promise<Called>;
}

/**
 * @param wait what to say once when a try has failed and others follow
 * @returns calls that outlive a restart of the hub; only the very first must find it
 */
export function createPersistent(
  target: Target,
  runtime: Pick<Runtime, "fetch" | "after" | "monotonicMs" | "random">,
  wait: (why: string) => void,
): Persistent {
  let hasAnswered = false;
  return {
    async call(request, isFinal = () => false) {
      const backoff = createBackoff({
        runtime,
        firstMs: RETRY_FIRST_MS,
        limitMs: RETRY_LONGEST_MS,
        stableMs: 0,
      });
      const untilMs = runtime.monotonicMs() + RETRY_LIMIT_MS;
      for (let tries = 1; ; tries += 1) {
        const answer = await call(target, request, runtime);
        if (answer.ok && (!NOT_NOW.has(answer.status) || isFinal(answer))) {
          hasAnswered = true;
          return answer;
        }
        // A wrong address or a hub that is not there must be told at once.
        if (!answer.ok && !hasAnswered && tries === 1 && answer.code !== "ECONNRESET") return answer;
        const delayMs = Math.max(backoff.nextDelayMs(), retryAfterMs(answer));
        if (runtime.monotonicMs() + delayMs > untilMs) return answer;
        if (tries === 1) wait(answer.ok ? `it answers ${answer.status}` : answer.trouble.why);
        await new Promise<void>((resolve) => void runtime.after(delayMs, resolve));
      }
    },
  };
}

function retryAfterMs(answer: Called): number {
  const seconds = answer.ok ? Number(answer.headers.get("retry-after") ?? 0) : 0;
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0;
}
