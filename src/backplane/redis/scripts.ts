import { EPOCHS_LIMIT } from "../epochs.ts";
import { KEY_TTL_MS, KEYS_LIMIT, KEYS_LIMIT_BYTES } from "../keys.ts";
import { FINISHED_LIMIT, FORGET_AFTER_MS, QUEUE_LIMIT_BYTES } from "../queue.ts";
import apply from "./lua/apply.lua" with { type: "text" };
import commands from "./lua/commands.lua" with { type: "text" };
import common from "./lua/common.lua" with { type: "text" };
import keys from "./lua/keys.lua" with { type: "text" };
import open from "./lua/open.lua" with { type: "text" };
import stream from "./lua/stream.lua" with { type: "text" };
import workers from "./lua/workers.lua" with { type: "text" };
import type { RedisConfig } from "./settings.ts";

/** The keys that the hubs share, by what they hold. */
export interface KeyNames {
  readonly messages: string;
  readonly signals: string;
  /** What every script is given: all keys that it may touch. */
  readonly all: readonly string[];
}

/** @param node the random name of this node, under which its last call is kept */
export function keyNames(prefix: string, node: string): KeyNames {
  const messages = `${prefix}messages`;
  const signals = `${prefix}signals`;
  const others = ["keys", "keyages", "workers", "commands", "fates", "finished"];
  // In the order in which common.lua names them.
  const all = [`${prefix}state`, `${prefix}epochs`, messages, signals]
    .concat(others.map((name) => prefix + name))
    .concat(`${prefix}call:${node}`);
  return { messages, signals, all };
}

export interface Scripts {
  /** Run on each new connection. */
  readonly open: string;
  /** Carries all that the hub asks of Redis, a batch at a time. */
  readonly apply: string;
}

/** How much a take brings at most; a command is under 1 MiB. */
const TAKE_LIMIT = 64;
const TAKE_LIMIT_BYTES = 1_048_576;
/** How many things of one kind one call lets go; the next call goes on. */
const EXPIRE_LIMIT = 100;
/** A signal only wakes: who has missed some misses nothing. */
const SIGNALS_LIMIT = 16;
/** So many more than the history are held: the largest batch must not push out what a node has not read yet. */
const SLACK_MESSAGES = 10_000;
/** How long the answer of a node's last call is kept for it, in timeouts. */
const CALL_TTL_TIMEOUTS = 10;

/** The limits are written into the scripts: they are sent once, and not with every call. */
export function makeScripts(config: RedisConfig): Scripts {
  const limits = {
    STREAM_LIMIT: config.HISTORY_MESSAGES + SLACK_MESSAGES,
    EPOCHS_LIMIT,
    KEY_TTL_MS,
    KEYS_LIMIT,
    KEYS_LIMIT_BYTES,
    LEASE_MS: config.WORKER_LEASE_MS,
    GRACE_MS: config.WORKER_OFFLINE_GRACE_MS,
    COMMAND_QUEUE: config.COMMAND_QUEUE,
    COMMAND_TTL_MS: config.COMMAND_TTL_MS,
    QUEUE_LIMIT_BYTES,
    FORGET_AFTER_MS,
    FINISHED_LIMIT,
    TAKE_LIMIT,
    TAKE_LIMIT_BYTES,
    EXPIRE_LIMIT,
    SIGNALS_LIMIT,
    CALL_TTL_MS: Math.max(60_000, CALL_TTL_TIMEOUTS * config.REDIS_TIMEOUT_MS),
  };
  const head = Object.entries(limits)
    .map(([name, value]) => `local ${name} = ${value}\n`)
    .join("")
    .concat(`local WORKER_POLICY = '${config.WORKER_POLICY}'\n`, common);
  return { open: head + open, apply: head + stream + keys + workers + commands + apply };
}
