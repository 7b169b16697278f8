import type { Config } from "../../config/schema.ts";

/** What of the configuration concerns the backplane on Redis. */
export type RedisConfig = Pick<
  Config,
  | "REDIS_PREFIX"
  | "REDIS_TIMEOUT_MS"
  | "REDIS_BUFFER_MESSAGES"
  | "REDIS_BUFFER_BYTES"
  | "WORKER_LEASE_MS"
  | "WORKER_POLICY"
  | "WORKER_OFFLINE_GRACE_MS"
  | "HISTORY_MESSAGES"
  | "HISTORY_BYTES"
  | "HISTORY_TTL_MS"
  | "COMMAND_QUEUE"
  | "COMMAND_TTL_MS"
  | "CONFLATE"
> & { readonly REDIS_URL: string };
