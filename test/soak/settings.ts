import type { HubEnv } from "../support/hub.ts";
import { CONNECTIONS_PER_ADDRESS } from "./crowd.ts";
import { CONFLATE_RULE } from "./messages.ts";

/** What the hubs keep: small enough to be full long before the baseline. Of the measured one the bytes are the limit. */
export const KEPT = { messages: 2_000, bytes: 4_000_000 };
export const RESTARTED_KEPT = { messages: 2_000, bytes: 4_000_000 };
export const COMMAND_QUEUE = 100;
export const COMMAND_TTL_MS = 8_000;
export const MAX_CONNECTIONS = 2_000;

/** The heartbeat is short, so that whoever is dead is found often; not so short that a busy machine's clients count as dead. */
const COMMON: HubEnv = {
  LOG_LEVEL: "info",
  HEARTBEAT_INTERVAL_MS: "2000",
  HEARTBEAT_TIMEOUT_MS: "12000",
  WORKER_TIMEOUT_MS: "8000",
};

/** The hub whose growth is judged: one life, all guards on, every limit within reach. */
export function measuredEnv(authUrl: string): HubEnv {
  return {
    ...COMMON,
    HISTORY_MESSAGES: String(KEPT.messages),
    HISTORY_BYTES: String(KEPT.bytes),
    SLOW_CONSUMER_BYTES: "262144",
    MAX_MESSAGE_BYTES: "262144",
    COMMAND_QUEUE: String(COMMAND_QUEUE),
    COMMAND_TTL_MS: String(COMMAND_TTL_MS),
    CONFLATE: CONFLATE_RULE,
    CLIENT_AUTH_URL: authUrl,
    CLIENT_AUTH_CACHE_MS: "2000",
    CLIENT_AUTH_TIMEOUT_MS: "60000",
    TRUST_PROXY: "1",
    MAX_CONNECTIONS: String(MAX_CONNECTIONS),
    MAX_CONNECTIONS_PER_ADDRESS: String(CONNECTIONS_PER_ADDRESS),
    WRONG_SECRETS_PER_MINUTE: "20",
  };
}

export function restartedEnv(historyFile: string): HubEnv {
  return {
    ...COMMON,
    HISTORY_FILE: historyFile,
    HISTORY_MESSAGES: String(RESTARTED_KEPT.messages),
    HISTORY_BYTES: String(RESTARTED_KEPT.bytes),
    // Here only: its probes take positions that the witnesses of the other hub, who know each by name, never hear of.
    CANARY_INTERVAL_MS: "5000",
  };
}
