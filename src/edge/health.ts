import type { Check, Figures, Maybe } from "../backplane/backplane.ts";
import type { Canary } from "../hub/canary.ts";
import { json } from "./problem.ts";

export function live(): Response {
  return json(200, { status: "ok" });
}

export interface Health {
  /** `GET /healthz`: the process is up. */
  live(): Response;
  /** `GET /readyz`: it may be sent traffic; 503 while it may not. */
  ready(): Maybe<Response>;
  /** From now on it is not ready. */
  stopping(): void;
}

/** @param bridge what the bridge says of itself; undefined where there is none */
export function createHealth(
  figures: Pick<Figures, "checks">,
  canary: Pick<Canary, "isOverdue"> | undefined,
  bridge: () => Check | undefined,
): Health {
  let isStopping = false;
  return {
    live,
    ready() {
      const bridgeCheck = bridge();
      const checks: Record<string, Check> = {
        listener: isStopping ? { ok: false, detail: "the hub is stopping" } : { ok: true },
        ...figures.checks(),
        ...(canary === undefined ? {} : { canary: canaryCheck(canary) }),
        ...(bridgeCheck === undefined ? {} : { bridge: bridgeCheck }),
      };
      const isReady = Object.values(checks).every(({ ok, isWarning }) => ok || isWarning === true);
      return json(isReady ? 200 : 503, { status: isReady ? "ready" : "not_ready", checks });
    },
    stopping() {
      isStopping = true;
    },
  };
}

function canaryCheck(canary: Pick<Canary, "isOverdue">): Check {
  return canary.isOverdue()
    ? { ok: false, detail: "what is published does not reach the hub's own subscriber" }
    : { ok: true };
}
