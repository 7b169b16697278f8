import { RedisClient } from "bun";
import type { Log } from "../../observe/log.ts";
import { createBackoff } from "../../protocol/backoff.ts";
import type { Runtime } from "../../runtime.ts";
import { diagnose } from "./diagnose.ts";
import { explain, LinkError, replyCode } from "./error.ts";

/** One command, on one connection. Rejects with LinkError, or with what Redis answers. */
export type Send = (command: string, args: readonly string[], extraMs?: number) => Promise<unknown>;

/** A connection to Redis that is made anew whenever it ends. */
export interface Link {
  /** Tries once. @throws {RedisError} */
  open(): Promise<void>;
  isUp(): boolean;
  /** A deadline of `extraMs` more than usual is for calls that wait on purpose. After a deadline the connection is replaced. */
  readonly send: Send;
  /** Ends the connection, for a new one. */
  restart(why: string): void;
  /** What is wrong, and since when on the monotonic clock. */
  trouble(): { readonly why: string; readonly sinceMs: number } | undefined;
  close(): void;
}

export interface LinkOptions {
  readonly name: string;
  readonly url: string;
  readonly timeoutMs: number;
  readonly runtime: Runtime;
  readonly log: Log;
  /** Runs on every new connection before anything else does. */
  readonly greet: (send: Send) => Promise<void>;
  readonly up: () => void;
  readonly down: () => void;
}

const BACKOFF_FIRST_MS = 100;
const BACKOFF_LIMIT_MS = 2_000;
const BACKOFF_STABLE_MS = 5_000;

/**
 * Bun's client neither reconnects nor queues by itself here: both would hide that the Redis at the other end may hold
 * something else than before. Each attempt is a client of its own, and is greeted before it is used.
 */
export function createLink(options: LinkOptions): Link {
  const { name, url, timeoutMs, runtime, log } = options;
  const backoff = createBackoff({
    runtime,
    firstMs: BACKOFF_FIRST_MS,
    limitMs: BACKOFF_LIMIT_MS,
    stableMs: BACKOFF_STABLE_MS,
  });
  let client: RedisClient | undefined;
  let isUp = false;
  let isClosed = false;
  let trouble: { why: string; sinceMs: number } | undefined;

  const sendOn =
    (on: RedisClient): Send =>
    async (command, args, extraMs = 0) => {
      const { promise: expired, reject } = Promise.withResolvers<never>();
      const limitMs = timeoutMs + extraMs;
      const cancel = runtime.after(limitMs, () => {
        reject(new LinkError(`${command} was not answered within ${limitMs} ms`));
        lost(on, `${command} was not answered within ${limitMs} ms`);
      });
      try {
        return await Promise.race([on.send(command, args as string[]), expired]);
      } catch (error) {
        if (replyCode(error) !== undefined || error instanceof LinkError) throw error;
        lost(on, explain(error));
        throw new LinkError(explain(error));
      } finally {
        cancel();
      }
    };

  const lost = (of: RedisClient, why: string): void => {
    if (client !== of) return;
    client = undefined;
    const wasUp = isUp;
    isUp = false;
    of.close();
    if (isClosed) return;
    trouble ??= { why, sinceMs: runtime.monotonicMs() };
    if (!wasUp) return;
    log.warning?.("FAIL", "redis", "Connection lost", { connection: name, why });
    options.down();
    retry();
  };

  const retry = (): void => {
    runtime.after(backoff.nextDelayMs(), () => {
      void attempt().catch((error: unknown) => {
        if (isClosed) return;
        const why = explain(error);
        if (trouble?.why !== why) log.warning?.("FAIL", "redis", "Cannot connect", { connection: name, why });
        trouble = { why, sinceMs: trouble?.sinceMs ?? runtime.monotonicMs() };
        retry();
      });
    });
  };

  const attempt = async (): Promise<void> => {
    if (isClosed) return;
    const fresh = new RedisClient(url, {
      autoReconnect: false,
      enableOfflineQueue: false,
      // Later than the deadline here, which knows what it is.
      connectionTimeout: timeoutMs + 1_000,
    });
    client = fresh;
    fresh.onclose = () => lost(fresh, "the connection was closed");
    try {
      await connect(fresh);
      await options.greet(sendOn(fresh));
      if (client !== fresh) throw new LinkError("the connection was closed");
    } catch (error) {
      if (client === fresh) client = undefined;
      fresh.close();
      throw error;
    }
    isUp = true;
    backoff.succeeded();
    if (trouble !== undefined) log.info?.("START", "redis", "Connected again", { connection: name });
    trouble = undefined;
    options.up();
  };

  const connect = async (fresh: RedisClient): Promise<void> => {
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const cancel = runtime.after(timeoutMs, () => reject(new LinkError(`no answer within ${timeoutMs} ms`)));
    try {
      await Promise.race([fresh.connect(), expired]);
    } catch (error) {
      if (error instanceof LinkError) throw error;
      // The client says no more than that the connection was closed.
      throw (await diagnose(url, timeoutMs, runtime)) ?? new LinkError(explain(error));
    } finally {
      cancel();
    }
  };

  return {
    open: attempt,
    isUp: () => isUp,
    send(command, args, extraMs) {
      if (client === undefined || !isUp) return Promise.reject(new LinkError("there is no connection"));
      return sendOn(client)(command, args, extraMs);
    },
    restart(why) {
      if (client !== undefined) lost(client, why);
    },
    trouble: () => trouble,
    close() {
      isClosed = true;
      const last = client;
      client = undefined;
      isUp = false;
      last?.close();
    },
  };
}

/** Where Redis is, for people: without the password. */
export function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === "" ? "6379" : port}`;
}
