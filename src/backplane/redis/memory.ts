import type { Runtime } from "../../runtime.ts";
import type { Check } from "../backplane.ts";
import { replyCode } from "./error.ts";
import type { Send } from "./link.ts";

/** Whether Redis may throw away what it has acknowledged. */
export interface Memory {
  check(): Check;
  /** Asks again. */
  look(send: Send): Promise<void>;
  stop(): void;
}

const INTERVAL_MS = 30_000;

/** @param send asks on the connection that is there at the moment */
export function createMemory(runtime: Runtime, send: Send): Memory {
  let check: Check = { ok: true };
  const look = async (ask: Send): Promise<void> => {
    let info = "";
    try {
      info = String(await ask("INFO", ["memory"]));
    } catch (error) {
      // Not every user may ask that; then there is nothing to warn of.
      if (replyCode(error) === undefined) throw error;
    }
    const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "noeviction";
    check = limit === 0 || policy === "noeviction" ? { ok: true } : warning(policy);
  };
  const stop = runtime.every(INTERVAL_MS, () => {
    // Without an answer, what was known stands; that Redis is away is another check.
    look(send).catch(() => undefined);
  });
  return { check: () => check, look, stop };
}

function warning(policy: string): Check {
  return {
    ok: false,
    isWarning: true,
    detail: `Redis may evict the stream when its memory is full (maxmemory-policy ${policy}): set maxmemory-policy noeviction`,
  };
}
