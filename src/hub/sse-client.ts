import type { Backplane } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Metrics } from "../observe/metrics.ts";
import { goodbyeJson, helloJson, liveJson } from "../protocol/envelope.ts";
import { passes, type TypeFilter } from "../protocol/filter.ts";
import { sseEvent, sseHeartbeat, sseMessage, sseRetry } from "../protocol/sse.ts";
import type { WorkerStatus } from "../protocol/status.ts";
import type { Runtime } from "../runtime.ts";
import { REPLAY_BUFFER_BYTES } from "./clients.ts";
import type { Fanout } from "./fanout.ts";
import type { Feed, Feeds } from "./feeds.ts";
import type { Replay, Replays } from "./replay.ts";
import { type Start, withStart } from "./resume.ts";

/** One SSE response body, as the edge offers it. */
export interface SseSink {
  write(chunk: Uint8Array): void;
  /** Bytes written that the peer has not taken yet. */
  bufferedBytes(): number;
  /** For how long the peer has taken nothing although there was something; 0 when it is up to date. */
  stalledMs(): number;
  /** Ends the response in good order. */
  end(): void;
  /** Cuts the connection, for a peer that does not read. */
  cut(): void;
}

/** The hub's side of an SSE stream. */
export interface SseClient {
  /** The sink's buffer is empty again. */
  drained(): void;
  /** The connection has ended. */
  closed(): void;
}

/** What ends a connection with a goodbye. */
export interface Farewell {
  /** Is something still to be sent, so that it should wait? */
  isBackedUp(): boolean;
  /** Harmless for a connection that has ended meanwhile. */
  say(): void;
}

/** All SSE streams of this node (PROTOCOL.md, section 4). */
export interface SseClients {
  open(sink: SseSink, connId: string, since: string | undefined, types: TypeFilter): SseClient;
  /** Sends every stream a heartbeat with its position, and ends those that have stalled. */
  heartbeat(): void;
  /** One for each stream. */
  farewells(reconnectAfterMs: () => number): readonly Farewell[];
  /** Ends all of them without a word: they come back and resume. */
  cutAll(): void;
  count(): number;
  /** Has any stream much to send yet? */
  isCongested(): boolean;
}

/** The browser's wait before it comes back is drawn from this range, so that a fleet does not return at once. */
const RETRY_MIN_MS = 1_000;
const RETRY_SPREAD_MS = 4_000;

export interface SseClientsOptions {
  readonly config: Pick<
    Config,
    "HEARTBEAT_INTERVAL_MS" | "HEARTBEAT_TIMEOUT_MS" | "SLOW_CONSUMER_BYTES" | "CLIENT_MAX_AGE_MS"
  >;
  readonly runtime: Runtime;
  readonly backplane: Backplane;
  readonly fanout: Fanout;
  readonly feeds: Feeds;
  readonly replays: Replays;
  readonly status: () => WorkerStatus;
  readonly onSlow: (connId: string, bufferedBytes: number) => void;
  readonly metrics: Pick<Metrics, "resumes" | "replayed">;
}

interface Open {
  readonly sink: SseSink;
  readonly openedMs: number;
  readonly feed: Feed;
  readonly replay: Replay;
  /** Has it been greeted? */
  hasBegun: boolean;
  /** The cursor at which this stream stands; undefined once it is live. */
  replayCursor: string | undefined;
}

export function createSseClients(options: SseClientsOptions): SseClients {
  const { config, runtime, backplane, fanout, feeds, replays, status, metrics } = options;
  const open = new Set<Open>();
  const encoder = new TextEncoder();
  const bufferLimitBytes = Math.min(REPLAY_BUFFER_BYTES, config.SLOW_CONSUMER_BYTES / 4);

  const leave = (client: Open): void => {
    open.delete(client);
    feeds.leave(client.feed);
    replays.stop(client.replay);
  };

  const isTooOld = ({ openedMs }: Open): boolean =>
    config.CLIENT_MAX_AGE_MS > 0 && runtime.monotonicMs() - openedMs >= config.CLIENT_MAX_AGE_MS;

  const end = (client: Open): void => {
    leave(client);
    client.sink.end();
  };

  const goLive = (client: Open): void => {
    client.replayCursor = undefined;
    const cursor = fanout.liveCursor();
    client.sink.write(encoder.encode(sseEvent("live", liveJson(cursor, status()), cursor)));
    feeds.join(client.feed);
  };

  const createOpen = (sink: SseSink, connId: string, types: TypeFilter): Open => {
    const drop = (): void => {
      options.onSlow(connId, sink.bufferedBytes());
      leave(client);
      sink.cut();
    };
    const client: Open = {
      sink,
      openedMs: runtime.monotonicMs(),
      hasBegun: false,
      replayCursor: undefined,
      feed: {
        types,
        write(chunk) {
          sink.write(chunk);
          if (sink.bufferedBytes() > config.SLOW_CONSUMER_BYTES) drop();
        },
      },
      replay: {
        write(entries) {
          const passing = entries.filter((entry) => passes(types, entry.type));
          metrics.replayed.add("sse", passing.length);
          client.replayCursor = entries.at(-1)?.cursor ?? client.replayCursor;
          if (passing.length > 0) sink.write(encoder.encode(passing.map(sseMessage).join("")));
        },
        isBackedUp: () => sink.bufferedBytes() > bufferLimitBytes,
        join: () => goLive(client),
        abandon(why) {
          if (why === "stalled") {
            drop();
            return;
          }
          leave(client);
          sink.cut();
        },
      },
    };
    return client;
  };

  const begin = (client: Open, connId: string, { offset, cursor, resumed }: Start): void => {
    metrics.resumes.add(resumed === true ? "resumed" : resumed);
    const heartbeatMs = config.HEARTBEAT_INTERVAL_MS;
    const hello = helloJson({ connId, cursor, resumed, heartbeatMs, worker: status() });
    const retryMs = RETRY_MIN_MS + Math.floor(runtime.random() * RETRY_SPREAD_MS);
    client.sink.write(encoder.encode(sseRetry(retryMs) + sseEvent("hello", hello, cursor)));
    client.hasBegun = true;
    if (offset === fanout.liveOffset()) {
      goLive(client);
    } else {
      client.replayCursor = cursor;
      replays.start(client.replay, offset);
    }
  };

  return {
    open(sink, connId, since, types) {
      const client = createOpen(sink, connId, types);
      open.add(client);
      withStart(
        backplane,
        fanout,
        { since, isGone: () => !open.has(client) },
        (start) => begin(client, connId, start),
        () => client.replay.abandon("evicted"),
      );
      return {
        drained: () => replays.drained(client.replay),
        closed: () => leave(client),
      };
    },
    heartbeat() {
      feeds.flush();
      const live = encoder.encode(sseHeartbeat(fanout.liveCursor()));
      for (const client of open) {
        // A peer that takes nothing is not told apart from a slow one by TCP for minutes.
        if (client.sink.stalledMs() > config.HEARTBEAT_TIMEOUT_MS) client.replay.abandon("stalled");
        else if (isTooOld(client)) end(client);
        else if (!client.hasBegun) continue;
        else if (client.replayCursor === undefined) client.feed.write(live);
        else client.sink.write(encoder.encode(sseHeartbeat(client.replayCursor)));
      }
    },
    farewells(reconnectAfterMs) {
      feeds.flush();
      return [...open].map((client) => ({
        isBackedUp: () => open.has(client) && client.sink.stalledMs() > 0,
        say() {
          if (!open.has(client)) return;
          feeds.flush();
          client.sink.write(encoder.encode(sseEvent("goodbye", goodbyeJson("shutdown", reconnectAfterMs()))));
          end(client);
        },
      }));
    },
    cutAll() {
      for (const client of [...open]) {
        leave(client);
        client.sink.cut();
      }
    },
    count: () => open.size,
    isCongested: () =>
      open.values().some(({ sink }) => sink.bufferedBytes() > config.SLOW_CONSUMER_BYTES / 4),
  };
}
