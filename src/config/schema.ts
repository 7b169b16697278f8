import { z } from "zod";
import { LOG_LEVELS } from "../observe/log.ts";
import {
  absolutePaths,
  authUrl,
  conflation,
  integer,
  oneOf,
  optionalFlag,
  optionalInteger,
  origins,
  path,
  redisUrl,
  type SettingNotes,
  secret,
  settingNotes,
  text,
  textOr,
  threads,
  websocketUrl,
} from "./setting.ts";

/**
 * The single source of every setting: its environment name (the key), its flag (the same in kebab case), type, unit,
 * default and help line. `--help`, `vectra-hub config` and the README's table are printed from it.
 */
export const configSchema = z.object({
  ENV: oneOf(["development", "production"], "development", {
    help: "production refuses weak secrets; the image sets it",
  }),
  HOST: text({
    help: "address to listen on",
    defaultNote: ":: (IPv4 and IPv6); loopback only while no secret is set",
  }),
  PORT: integer(0, 65_535, 8000, { help: "port to listen on; 0 takes a free one" }),
  THREADS: threads(64, {
    help: "how many threads serve connections; auto: as many as the machine has cores",
  }),
  WS_PATHS: absolutePaths(["/ws", "/api/v1/ws"], { help: "paths of the WebSocket, separated by commas" }),

  WORKER_SECRET: secret({ help: "what a worker must present; development has a default" }),
  WORKER_SECRET_FILE: path({ help: "file that holds WORKER_SECRET, e.g. a mounted secret" }),
  WORKER_SECRET_PREVIOUS: secret({ help: "also accepted, while workers move to a new secret" }),
  WORKER_POLICY: oneOf(["replace", "shared"], "replace", {
    help: "replace: a new worker ends the old one; shared: any number side by side",
  }),
  WORKER_TIMEOUT_MS: integer(100, 86_400_000, 40_000, {
    unit: "ms",
    help: "a worker from which nothing has come for so long is offline",
  }),
  WORKER_OFFLINE_GRACE_MS: integer(0, 86_400_000, 0, {
    unit: "ms",
    help: "how long a lost worker still counts as online",
  }),

  HEARTBEAT_INTERVAL_MS: integer(20, 3_600_000, 25_000, {
    unit: "ms",
    help: "how often each WebSocket is pinged",
  }),
  HEARTBEAT_TIMEOUT_MS: integer(100, 86_400_000, 60_000, {
    unit: "ms",
    help: "a WebSocket from which nothing has come for so long is ended",
  }),

  MAX_MESSAGE_BYTES: integer(1024, 67_108_864, 1_048_576, {
    unit: "bytes",
    help: "largest WebSocket message",
  }),
  SLOW_CONSUMER_BYTES: integer(65_536, 1_073_741_824, 4_194_304, {
    unit: "bytes",
    help: "a connection with more unsent bytes than this is closed with 1013",
  }),

  HISTORY_MESSAGES: integer(10, 10_000_000, 10_000, {
    help: "how many messages are held for those who resume",
  }),
  HISTORY_BYTES: integer(65_536, 17_179_869_184, 67_108_864, {
    unit: "bytes",
    help: "how much of them is held",
  }),
  HISTORY_TTL_MS: integer(100, 604_800_000, 3_600_000, { unit: "ms", help: "how long they are held" }),
  HISTORY_FILE: path({
    help: "SQLite file that holds history, keys and commands over restarts; memory without it",
  }),
  REDIS_URL: redisUrl({
    help: "redis:// or rediss:// address at which several hubs are one; alone without it",
  }),
  REDIS_PREFIX: textOr("vectra:", { help: "what the names of all keys in Redis begin with" }),
  REDIS_TIMEOUT_MS: integer(100, 600_000, 5_000, {
    unit: "ms",
    help: "how long an answer of Redis may take, a lost connection included",
  }),
  REDIS_BUFFER_MESSAGES: integer(0, 1_000_000, 10_000, {
    help: "how many messages wait while Redis is away; more are refused at once",
  }),
  REDIS_BUFFER_BYTES: integer(0, 1_073_741_824, 16_777_216, {
    unit: "bytes",
    help: "how much of them waits",
  }),
  WORKER_LEASE_MS: integer(200, 600_000, 10_000, {
    unit: "ms",
    help: "with REDIS_URL: how long the worker of a hub that has died still counts",
  }),
  MAX_BATCH_BYTES: integer(1024, 268_435_456, 16_777_216, {
    unit: "bytes",
    help: "largest NDJSON body of a publish",
  }),

  COMMAND_QUEUE: integer(1, 100_000, 1000, {
    help: "how many commands may wait for the worker or its acknowledgement",
  }),
  COMMAND_TTL_MS: integer(100, 604_800_000, 300_000, {
    unit: "ms",
    help: "how long a command waits before it expires",
  }),
  CONFLATE: conflation({
    help: "type:key:ms, separated by commas: publish at most one message per key and window",
  }),
  BRIDGE_URL: websocketUrl({ help: "WebSocket of an unmodified Vectra API to work beside" }),

  ALLOWED_ORIGINS: origins({
    help: "origins whose pages may connect: https://app.example.com, *.example.com, same-origin, *",
    defaultNote: "* in development, same-origin in production",
  }),
  CLIENT_AUTH_URL: authUrl({ help: "asked by GET with a client's cookie or token whether it may enter" }),
  CLIENT_AUTH_TIMEOUT_MS: integer(10, 600_000, 3_000, { unit: "ms", help: "how long its answer may take" }),
  CLIENT_AUTH_CACHE_MS: integer(0, 3_600_000, 0, { unit: "ms", help: "how long its yes is remembered" }),
  CLIENT_MAX_AGE_MS: integer(0, 2_592_000_000, 0, {
    unit: "ms",
    help: "after so long a client has to connect, and be let in, anew; 0: never",
  }),
  CLIENT_FRAMES_PER_SECOND: integer(0, 1_000_000, 50, {
    help: "what a client may send on average; ten seconds' worth at once; 0: no limit",
  }),
  CLIENT_BYTES_PER_SECOND: integer(0, 1_073_741_824, 262_144, { unit: "bytes", help: "the same, in bytes" }),
  MAX_CONNECTIONS: integer(0, 10_000_000, 50_000, { help: "clients at once; 0: no limit" }),
  MAX_CONNECTIONS_PER_ADDRESS: integer(0, 10_000_000, 0, {
    help: "clients at once from an IPv4 address or IPv6 /64; 0: no limit",
  }),
  WRONG_SECRETS_PER_MINUTE: integer(0, 1_000_000, 100, {
    help: "wrong secrets from an address before it is answered 429; 0: no limit",
  }),
  TRUST_PROXY: integer(0, 16, 0, {
    help: "how many proxies in front of the hub are believed in X-Forwarded-*",
  }),

  DRAIN_DELAY_MS: integer(0, 3_600_000, 0, {
    unit: "ms",
    help: "on a signal: how long /readyz is red before the listener closes",
  }),
  DRAIN_TIMEOUT_MS: integer(0, 3_600_000, 0, {
    unit: "ms",
    help: "over how long clients are sent away with 1012; 0: all at once with 1001",
  }),

  CONSOLE: optionalFlag({
    help: "whether the page at / is served",
    defaultNote: "true in development, false in production",
  }),
  CANARY_INTERVAL_MS: integer(0, 3_600_000, 0, {
    unit: "ms",
    help: "how often a probe is sent through the hub; one that is lost turns /readyz red; 0: never",
  }),
  OPS_PORT: optionalInteger(0, 65_535, {
    help: "port of a listener of its own for health, metrics and stats",
    defaultNote: "none: they are on PORT",
  }),
  OPS_HOST: textOr("127.0.0.1", { help: "address of that listener" }),
  OPS_TOKEN: secret({ help: "read-only credential for metrics and stats" }),

  TLS_CERT_FILE: path({ help: "certificate chain in PEM; with TLS_KEY_FILE the hub speaks https and wss" }),
  TLS_KEY_FILE: path({ help: "private key in PEM" }),
  UNIX_SOCKET: path({ help: "unix socket to listen on, in place of HOST and PORT" }),

  LOG_LEVEL: oneOf(LOG_LEVELS, "info", { help: "lowest level that is logged" }),
  LOG_FORMAT: oneOf(["text", "json"], undefined, {
    help: "form of the log lines on standard error",
    defaultNote: "text on a terminal, else json",
  }),
});

/** The checked configuration, under the names that the documentation uses. */
export type Settings = z.output<typeof configSchema>;
export type SettingName = keyof Settings;

/** What the hub runs on: everything that has a default of its own is filled in. */
export type Config = Settings & {
  readonly HOST: string;
  readonly WORKER_SECRET: string;
  readonly LOG_FORMAT: "text" | "json";
  readonly ALLOWED_ORIGINS: readonly string[];
  readonly CONSOLE: boolean;
  /** What TLS_CERT_FILE and TLS_KEY_FILE hold. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
};

export const SETTING_NAMES = Object.keys(configSchema.shape) as SettingName[];

/** What the help says about a setting. */
export function notesOf(name: SettingName): SettingNotes {
  const notes = settingNotes.get(configSchema.shape[name]);
  if (notes === undefined)
    throw new Error(`the setting ${name} has no notes: build it with config/setting.ts`);
  return notes;
}

/** `WORKER_TIMEOUT_MS` → `worker-timeout-ms`. Secrets have no flag: every user of the machine can read a command line. */
export function flagOf(name: SettingName): string | undefined {
  return notesOf(name).secret ? undefined : name.toLowerCase().replaceAll("_", "-");
}
