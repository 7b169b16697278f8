import type { Log } from "../../observe/log.ts";
import type { Runtime } from "../../runtime.ts";
import type { BackplaneEvents, Check } from "../backplane.ts";
import { explain, LinkError, RedisError } from "./error.ts";
import { createHandshake, type Seen, type Snapshot } from "./handshake.ts";
import { addressOf, createLink, type Link, type Send } from "./link.ts";
import { createMemory } from "./memory.ts";
import type { RedisMetrics } from "./metrics.ts";
import { keyNames, makeScripts } from "./scripts.ts";
import type { RedisConfig } from "./settings.ts";
import { createTail } from "./tail.ts";
import type { Window } from "./window.ts";

/** A node's two connections to Redis: one carries calls, the other waits for what is new in the stream. */
export interface Connections {
  /** Connects both, and joins the stream. @throws {RedisError} */
  open(): Promise<void>;
  /** From now on the hub is told what happens. */
  follow(): void;
  /** Can calls be made? */
  isUp(): boolean;
  /** Runs apply.lua. */
  call(args: readonly string[]): Promise<unknown>;
  /** Ends the connection for calls, for a new handshake. */
  restart(why: string): void;
  /** Redis has said that the stream goes so far. */
  heard(epoch: string, seq: number): void;
  /** Redis may have lost something. */
  doubt(): void;
  /** @param refusing why Redis does not take calls, while it does not */
  checks(refusing: string | undefined): Readonly<Record<string, Check>>;
  close(): void;
}

export interface ConnectionsOptions {
  readonly config: RedisConfig;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly window: Window;
  readonly metrics: RedisMetrics;
  readonly events: Pick<BackplaneEvents, "entries" | "reset" | "status">;
  readonly registered: (token: string, offset: number) => void;
  readonly moved: () => void;
  readonly signalled: () => void;
  readonly up: () => void;
}

/** How long a start waits before it tries again within its deadline. */
const START_RETRY_MS = 100;

export function createConnections(options: ConnectionsOptions): Connections {
  const { config, runtime, log, window, metrics } = options;
  const keys = keyNames(config.REDIS_PREFIX, runtime.randomHex(8));
  const scripts = makeScripts(config);
  let seen: Seen = { epoch: "", seq: 0 };
  let isFollowing = false;
  let sha = "";
  let tailSend: Send | undefined;
  let tailSnapshot: Snapshot | undefined;

  const note = ({ epoch, seq }: Seen): void => {
    seen = { epoch, seq: epoch === seen.epoch ? Math.max(seen.seq, seq) : seq };
  };
  const shake = createHandshake({
    ...{ scripts, keys, runtime },
    seen() {
      if (window.seen().epoch === seen.epoch) note(window.seen());
      return seen;
    },
  });
  const handshake = async (send: Send): Promise<Snapshot> => {
    const snapshot = await shake(send);
    note(snapshot);
    return snapshot;
  };
  const tail = createTail({
    ...{ config, keys, window, handshake, metrics },
    events: () => options.events,
    registered: options.registered,
    moved: options.moved,
    signalled: options.signalled,
  });
  const common = { url: config.REDIS_URL, timeoutMs: config.REDIS_TIMEOUT_MS, runtime, log };

  const calls = createLink({
    ...common,
    name: "commands",
    async greet(send) {
      const { epoch, seq } = await handshake(send);
      sha = String(await send("SCRIPT", ["LOAD", scripts.apply]));
      await memory.look(send);
      if (isFollowing) tail.heard(epoch, seq);
    },
    up: options.up,
    down: () => metrics.reconnects.add("commands"),
  });
  const memory = createMemory(runtime, (command, args) => calls.send(command, args));
  const reading = createLink({
    ...common,
    name: "tail",
    async greet(send) {
      tailSnapshot = await handshake(send);
      tailSend = send;
    },
    up: () => follow(),
    down: () => metrics.reconnects.add("tail"),
  });

  const follow = (): void => {
    if (!isFollowing || tailSend === undefined || tailSnapshot === undefined) return;
    tail.follow(tailSend, tailSnapshot).catch((error: unknown) => {
      // A connection that has ended is made anew by itself.
      if (!(error instanceof LinkError)) reading.restart(explain(error));
    });
  };

  const connect = async (link: Link): Promise<void> => {
    const startedMs = runtime.monotonicMs();
    while (true) {
      try {
        await link.open();
        return;
      } catch (error) {
        const isOver = runtime.monotonicMs() - startedMs >= config.REDIS_TIMEOUT_MS;
        const isFinal = error instanceof RedisError && error.isFinal;
        if (isFinal || isOver)
          throw new RedisError(`REDIS_URL (${addressOf(config.REDIS_URL)}): ${explain(error)}`, isFinal);
        const { promise, resolve } = Promise.withResolvers<void>();
        runtime.after(START_RETRY_MS, resolve);
        await promise;
      }
    }
  };

  const close = (): void => {
    tail.stop();
    memory.stop();
    calls.close();
    reading.close();
  };

  const stateOf = (link: Link): string | undefined => {
    const trouble = link.trouble();
    if (trouble === undefined) return undefined;
    const seconds = Math.round((runtime.monotonicMs() - trouble.sinceMs) / 1000);
    return `no connection to ${addressOf(config.REDIS_URL)} for ${seconds} s: ${trouble.why}`;
  };

  return {
    async open() {
      try {
        await connect(calls);
        await connect(reading);
        await tail.join(tailSend as Send, tailSnapshot as Snapshot);
      } catch (error) {
        close();
        throw error instanceof RedisError
          ? error
          : new RedisError(`REDIS_URL (${addressOf(config.REDIS_URL)}): ${explain(error)}`);
      }
    },
    follow() {
      isFollowing = true;
      follow();
    },
    isUp: calls.isUp,
    call: (args) => calls.send("EVALSHA", [sha, String(keys.all.length), ...keys.all, ...args]),
    restart: calls.restart,
    heard(epoch, seq) {
      if (epoch === seen.epoch) note({ epoch, seq });
      tail.heard(epoch, seq);
    },
    doubt: tail.doubt,
    checks(refusing) {
      const detail = stateOf(calls) ?? stateOf(reading) ?? refusing;
      return {
        redis: detail === undefined ? { ok: true } : { ok: false, detail },
        redis_memory: memory.check(),
      };
    },
    close,
  };
}
