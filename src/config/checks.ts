import type { Problem } from "./load.ts";
import type { Settings } from "./schema.ts";

/** What an unconfigured Vectra worker presents outside production. */
export const DEVELOPMENT_SECRET = "dev-worker-secret-ephemeral";

/** The shortest secret that production takes, the same as Vectra's own rule. */
const SECRET_MIN_CHARS = 32;
const WEAK_PARTS = [
  "dev-worker-secret",
  "dev-secret",
  "change-me",
  "changeme",
  "change_me",
  "test-key",
  "example",
];
const SECRET_REPAIR = "set one of at least 32 random characters, e.g. from: openssl rand -hex 32";

/** What no single setting can see: settings that contradict each other, and secrets too weak for production. */
export function crossCheck(settings: Settings): Problem[] {
  const problems: Problem[] = [];
  for (const name of ["WORKER_TIMEOUT_MS", "HEARTBEAT_TIMEOUT_MS"] as const) {
    if (settings[name] > settings.HEARTBEAT_INTERVAL_MS) continue;
    problems.push({
      key: name,
      value: String(settings[name]),
      why: `is not above HEARTBEAT_INTERVAL_MS (${settings.HEARTBEAT_INTERVAL_MS}), so healthy connections would be ended between two pings`,
      repair: "raise it, or lower HEARTBEAT_INTERVAL_MS",
    });
  }
  for (const [name, harm] of [
    ["SLOW_CONSUMER_BYTES", "so one large message would end healthy connections"],
    ["HISTORY_BYTES", "so one large message would empty the history"],
    ["MAX_BATCH_BYTES", "so a batch could not carry every message"],
  ] as const) {
    if (settings[name] >= settings.MAX_MESSAGE_BYTES) continue;
    problems.push({
      key: name,
      value: String(settings[name]),
      why: `is below MAX_MESSAGE_BYTES (${settings.MAX_MESSAGE_BYTES}), ${harm}`,
      repair: "raise it, or lower MAX_MESSAGE_BYTES",
    });
  }
  if ((settings.TLS_CERT_FILE === undefined) !== (settings.TLS_KEY_FILE === undefined)) {
    const [present, absent] =
      settings.TLS_KEY_FILE === undefined
        ? ["TLS_CERT_FILE", "TLS_KEY_FILE"]
        : ["TLS_KEY_FILE", "TLS_CERT_FILE"];
    problems.push({
      key: present as string,
      value: settings[present as "TLS_CERT_FILE"],
      why: `is set without ${absent}`,
      repair: "set both, or neither",
    });
  }
  if (settings.UNIX_SOCKET !== undefined && settings.TLS_CERT_FILE !== undefined) {
    problems.push({
      key: "UNIX_SOCKET",
      value: settings.UNIX_SOCKET,
      why: "is set beside TLS_CERT_FILE, and a unix socket is not encrypted",
      repair: "set only one of the two",
    });
  }
  if (settings.UNIX_SOCKET !== undefined && settings.THREADS !== 1) {
    problems.push({
      key: "THREADS",
      value: String(settings.THREADS),
      why: "is set beside UNIX_SOCKET, and a unix socket serves one thread",
      repair: "set only one of the two",
    });
  }
  if (settings.REDIS_URL !== undefined && settings.HISTORY_FILE !== undefined) {
    problems.push({
      key: "HISTORY_FILE",
      value: settings.HISTORY_FILE,
      why: "is set beside REDIS_URL, and with Redis the history is there",
      repair: "set only one of the two",
    });
  }
  if (settings.CLIENT_AUTH_CACHE_MS > 0 && settings.CLIENT_AUTH_URL === undefined) {
    problems.push({
      key: "CLIENT_AUTH_CACHE_MS",
      value: String(settings.CLIENT_AUTH_CACHE_MS),
      why: "is set without CLIENT_AUTH_URL, so clients are let in unasked",
      repair: "set CLIENT_AUTH_URL, or leave it out",
    });
  }
  if (settings.WORKER_SECRET_PREVIOUS !== undefined && settings.WORKER_SECRET === undefined) {
    problems.push({
      key: "WORKER_SECRET_PREVIOUS",
      value: "[redacted]",
      why: "is set without WORKER_SECRET",
      repair: "set WORKER_SECRET to the new secret as well",
    });
  }
  if (settings.ENV === "production") {
    if (settings.WORKER_SECRET === undefined) {
      problems.push({
        key: "WORKER_SECRET",
        value: undefined,
        why: "is not set, and ENV=production does not start without one",
        repair: SECRET_REPAIR,
      });
    }
    problems.push(...weakSecret("WORKER_SECRET", settings.WORKER_SECRET));
    problems.push(...weakSecret("WORKER_SECRET_PREVIOUS", settings.WORKER_SECRET_PREVIOUS));
  }
  return problems;
}

function weakSecret(key: string, secret: string | undefined): Problem[] {
  if (secret === undefined) return [];
  const weakness =
    secret.length < SECRET_MIN_CHARS
      ? `has ${secret.length} characters; ENV=production wants at least ${SECRET_MIN_CHARS}`
      : WEAK_PARTS.some((part) => secret.toLowerCase().includes(part))
        ? "contains a well-known default"
        : new Set(secret).size < 8
          ? "consists of fewer than 8 different characters"
          : undefined;
  return weakness === undefined ? [] : [{ key, value: "[redacted]", why: weakness, repair: SECRET_REPAIR }];
}
