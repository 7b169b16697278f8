import type { Backplane } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Metrics } from "../observe/metrics.ts";
import { CLOSE } from "../protocol/close.ts";
import { helloJson, liveJson, messageJson } from "../protocol/envelope.ts";
import { passes } from "../protocol/filter.ts";
import { statusMessage, type WorkerStatus } from "../protocol/status.ts";
import { allOf, ofType, POSITIONS } from "../protocol/topics.ts";
import { retire, type Socket } from "./connection.ts";
import type { Drains } from "./drains.ts";
import type { Fanout } from "./fanout.ts";
import type { AudienceListener } from "./feeds.ts";
import type { Replay, Replays } from "./replay.ts";
import { type Start, withStart } from "./resume.ts";

/** A replay waits for the buffer to drain once this much is unsent, well below the limit for slow consumers. */
export const REPLAY_BUFFER_BYTES = 262_144;

export interface ClientsOptions {
  readonly config: Pick<Config, "HEARTBEAT_INTERVAL_MS" | "SLOW_CONSUMER_BYTES">;
  readonly backplane: Backplane;
  readonly fanout: Fanout;
  readonly replays: Replays;
  readonly drains: Pick<Drains, "expect">;
  readonly status: () => WorkerStatus;
  readonly send: (socket: Socket, text: string) => void;
  readonly audience: AudienceListener | undefined;
  readonly metrics: Pick<Metrics, "resumes" | "replayed">;
}

/** @returns what greets a dashboard: the status alone in raw framing; hello, what it missed, and live in stream framing */
export function createClients(options: ClientsOptions): (socket: Socket) => void {
  const { config, backplane, fanout, replays, drains, status, send, audience, metrics } = options;
  const bufferLimitBytes = Math.min(REPLAY_BUFFER_BYTES, config.SLOW_CONSUMER_BYTES / 4);

  const subscribe = (socket: Socket): void => {
    const { framing, types } = socket.data;
    if (types === undefined) socket.subscribe(allOf(framing));
    else for (const type of types) socket.subscribe(ofType(framing, type));
    if (framing === "stream") socket.subscribe(POSITIONS);
    socket.data.isSubscribed = true;
    audience?.(types, "websocket", 1);
  };

  const goLive = (socket: Socket): void => {
    socket.data.replay = undefined;
    send(socket, liveJson(fanout.liveCursor(), status()));
    subscribe(socket);
  };

  const replayTo = (socket: Socket): Replay => ({
    write(entries) {
      // A page is one write to the kernel, or nearly so: a write for each message costs four times as much.
      socket.cork(() => {
        for (const { cursor, text, type } of entries) {
          if (!passes(socket.data.types, type)) continue;
          send(socket, messageJson(cursor, text));
          metrics.replayed.add("websocket");
        }
      });
      if (socket.getBufferedAmount() > 0) drains.expect(socket);
    },
    isBackedUp: () => socket.getBufferedAmount() > bufferLimitBytes,
    join: () => goLive(socket),
    abandon: (why) => retire(socket, { ...CLOSE.tooSlow, reason: `replay ${why}: come back and resume` }),
  });

  const begin = (socket: Socket, { offset, cursor, resumed }: Start): void => {
    const { connId } = socket.data;
    metrics.resumes.add(resumed === true ? "resumed" : resumed);
    send(
      socket,
      helloJson({ connId, cursor, resumed, heartbeatMs: config.HEARTBEAT_INTERVAL_MS, worker: status() }),
    );
    if (offset === fanout.liveOffset()) {
      goLive(socket);
      return;
    }
    socket.data.replay = replayTo(socket);
    replays.start(socket.data.replay, offset);
  };

  return (socket) => {
    const { data } = socket;
    const isGone = (): boolean => data.retired;
    if (data.framing === "raw") {
      const join = (): void => {
        if (isGone()) return;
        send(socket, statusMessage(status()));
        subscribe(socket);
      };
      // Its first status must not be followed by one that is older.
      backplane.barrier(() => fanout.behindLive(join));
      return;
    }
    withStart(
      backplane,
      fanout,
      { since: data.since, isGone },
      (start) => begin(socket, start),
      () => retire(socket, { ...CLOSE.capacity, reason: "the history cannot be read now" }),
    );
  };
}
