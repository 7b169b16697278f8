import type { Backplane } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { CLOSE } from "../protocol/close.ts";
import { workerJsonFrame } from "../protocol/envelope.ts";
import { statusMessage, type WorkerStatus } from "../protocol/status.ts";
import type { Runtime } from "../runtime.ts";
import { createAllowances } from "./allowances.ts";
import { type Canary, startCanary } from "./canary.ts";
import { createClients } from "./clients.ts";
import { type Commands, createCommands } from "./commands.ts";
import {
  type ConnectionCounts,
  countConnections,
  retire,
  type Socket,
  type SocketEvents,
} from "./connection.ts";
import { createDrain, type Drain, FLUSH_LIMIT_MS, type Share } from "./drain.ts";
import { createDrains } from "./drains.ts";
import { createFanout, type Fanout, type PubSub } from "./fanout.ts";
import { type AudienceListener, createFeeds } from "./feeds.ts";
import { startLiveness } from "./liveness.ts";
import { createPublisher, type Publisher } from "./publisher.ts";
import { createReplays, PAGE_LIMIT_BYTES } from "./replay.ts";
import { createSlowConsumers, isAnyBackedUp } from "./slow.ts";
import { createSseClients, type SseClients } from "./sse-client.ts";
import { createWorkerFrames } from "./worker-frames.ts";
import { createWorkers, type Workers } from "./workers.ts";

/** The name under which the Python original logs, kept so that existing log searches go on working. */
const SCOPE = "websocket_endpoint";

/** A batch is sent in slices of at most this. */
const SLICE_LIMIT_BYTES = 1_048_576;

export interface Hub extends SocketEvents {
  readonly publisher: Publisher;
  readonly commands: Commands;
  readonly workers: Workers;
  readonly sse: SseClients;
  readonly behindLive: Fanout["behindLive"];
  readonly turn: Fanout["turn"];
  /** Undefined where CANARY_INTERVAL_MS is 0. */
  readonly canary: Canary | undefined;
  connections(): ConnectionCounts;
  /**
   * Says goodbye to every client and ends it: with 1001 at once, or with 1012 spread over `spreadMs`. The stream goes on for
   * those who are still there.
   */
  drain(spreadMs: number, share?: Share): Promise<void>;
  /** The same for whoever is left, at once: clients first, workers last. */
  stop(): Promise<void>;
}

export interface HubOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly backplane: Backplane;
  readonly pubSub: PubSub;
  readonly metrics: Metrics;
  readonly audience?: AudienceListener;
}

/** Wires the parts of the hub together. */
export function createHub(options: HubOptions): Hub {
  const { config, runtime, log, backplane, pubSub, metrics, audience } = options;
  const sockets = new Set<Socket>();
  const slow = createSlowConsumers(config, runtime, sockets, (socket, bufferedBytes) => {
    metrics.slowConsumers.add("websocket");
    log.warning?.("FAIL", SCOPE, "Too slow for the stream", { conn_id: socket.data.connId, bufferedBytes });
  });
  const send = (socket: Socket, text: string): void => slow.sent(socket.send(text), text.length);

  const feeds = createFeeds(runtime, metrics, audience);
  const fanout = createFanout({
    pubSub,
    feeds,
    runtime,
    startOffset: backplane.head(),
    positionEvery: Math.max(1, Math.floor(config.HISTORY_MESSAGES / 10)),
    cursorAt: backplane.cursorAt,
    sliceBytes: Math.min(SLICE_LIMIT_BYTES, config.SLOW_CONSUMER_BYTES / 4),
    isCongested: () => isAnyBackedUp(sockets, config.SLOW_CONSUMER_BYTES / 4) || sse.isCongested(),
    sent: slow.sent,
    metrics,
  });
  const publisher = createPublisher(config, backplane);
  const replays = createReplays(
    backplane,
    runtime,
    fanout.liveOffset,
    Math.min(PAGE_LIMIT_BYTES, config.SLOW_CONSUMER_BYTES / 4),
  );

  const sendStatus = (socket: Socket, status: WorkerStatus): void => {
    send(socket, socket.data.framing === "raw" ? statusMessage(status) : workerJsonFrame(status));
  };
  const workers = createWorkers(backplane, runtime);
  const commands = createCommands(config, backplane);
  const onWorkerFrame = createWorkerFrames({ log, backplane, publisher, commands, send });
  const drained = (socket: Socket): void => {
    if (socket.data.replay !== undefined) replays.drained(socket.data.replay);
    else if (socket.data.clientType === "worker" && !commands.drained(socket)) drains.expect(socket);
  };
  const drains = createDrains(runtime, drained);
  const greet = createClients({
    config,
    backplane,
    fanout,
    replays,
    drains,
    status: workers.status,
    send,
    audience,
    metrics,
  });
  const sse = createSseClients({
    config,
    runtime,
    backplane,
    fanout,
    feeds,
    replays,
    status: workers.status,
    metrics,
    onSlow: (connId, bufferedBytes) => {
      metrics.slowConsumers.add("sse");
      log.warning?.("FAIL", "events", "Too slow for the stream", { conn_id: connId, bufferedBytes });
    },
  });

  /** An answer says as well that everything promised to anybody before the question has been sent to the asker. */
  const answer = (socket: Socket, run: () => void): void =>
    backplane.barrier(() => {
      const runThere = (): void => {
        if (!socket.data.retired) run();
      };
      // A worker is sent nothing of the stream, and must not wait for those who read slowly.
      if (socket.data.clientType === "worker") runThere();
      else fanout.behindLive(runThere);
    });

  const allowances = createAllowances(config, runtime, ({ data }) => {
    metrics.refusals.add("flood");
    log.warning?.("SECURITY", SCOPE, "Client Flood", { conn_id: data.connId });
  });

  const canary =
    config.CANARY_INTERVAL_MS === 0
      ? undefined
      : startCanary(config.CANARY_INTERVAL_MS, runtime, publisher, feeds);

  const leave = (socket: Socket): void => {
    sockets.delete(socket);
    if (socket.data.replay !== undefined) replays.stop(socket.data.replay);
    if (socket.data.isSubscribed) {
      socket.data.isSubscribed = false;
      audience?.(socket.data.types, "websocket", -1);
    }
    if (socket.data.clientType !== "worker") return;
    workers.leave(socket);
  };

  const stopLiveness = startLiveness(config, runtime, sockets, (socket, silentMs) => {
    const { connId, clientType } = socket.data;
    log.info?.("FAIL", SCOPE, `${clientType} timed out`, { conn_id: connId, silentMs: Math.round(silentMs) });
    metrics.timeouts.add(clientType);
    socket.data.retired = true;
    socket.terminate();
    leave(socket);
  });
  const stopHeartbeat = runtime.every(config.HEARTBEAT_INTERVAL_MS, () => {
    fanout.tellPosition();
    sse.heartbeat();
  });

  /** Everybody comes back, and is told by `hello` whether something is missing. */
  const sendBack = (why: string): void => {
    log.warning?.("FAIL", SCOPE, "The stream cannot be continued: its clients have to come back", { why });
    fanout.restart(backplane.head());
    for (const socket of [...sockets]) {
      if (socket.data.clientType === "client" && !socket.data.retired) retire(socket, CLOSE.discontinued);
    }
    sse.cutAll();
  };

  let drain: Drain | undefined;
  /** What receipts have been given for goes to everybody who was there then, and what has been taken gets its receipt. */
  const settle = (): Promise<void> =>
    Promise.race([
      new Promise<void>((resolve) => backplane.barrier(() => fanout.behindLive(resolve))),
      new Promise<void>((resolve) => runtime.after(FLUSH_LIMIT_MS, resolve)),
    ]);

  backplane.start({
    entries: fanout.deliver,
    reset: sendBack,
    status: workers.changed,
    registered(token, status) {
      const socket = workers.find(token);
      if (socket !== undefined) sendStatus(socket, status);
    },
    superseded: workers.superseded,
    commands(token, deliveries) {
      const socket = workers.find(token);
      if (socket === undefined || socket.data.retired) return false;
      const canTake = commands.deliver(socket, deliveries);
      if (!canTake) drains.expect(socket);
      return canTake;
    },
    hold: workers.hold,
    receivers: fanout.receivers,
  });

  return {
    publisher,
    commands,
    workers,
    sse,
    behindLive: fanout.behindLive,
    turn: fanout.turn,
    canary,
    connections: () => countConnections(sockets),
    open(socket) {
      const { connId, clientType, framing, refusal } = socket.data;
      if (refusal !== undefined) {
        retire(socket, refusal);
        return;
      }
      sockets.add(socket);
      if (clientType === "client") {
        allowances.grant(socket);
        log.debug?.("START", SCOPE, "Client Connected", { conn_id: connId });
        greet(socket);
        return;
      }
      log.info?.("START", SCOPE, "Secure Worker Connected", { conn_id: connId });
      workers.join(socket);
      // A stream-framed worker takes commands once it has said `register`.
      if (framing === "raw") backplane.ready(socket.data.token);
    },
    text(socket, text) {
      if (socket.data.retired || !allowances.take(socket, text.length)) return;
      socket.data.lastSeenMs = runtime.monotonicMs();
      if (text === "ping") answer(socket, () => send(socket, "pong"));
      else if (text === "get_worker_status") answer(socket, () => sendStatus(socket, workers.status()));
      else if (socket.data.clientType === "worker") onWorkerFrame(socket, text);
    },
    binary(socket) {
      if (!socket.data.retired) retire(socket, CLOSE.binary);
    },
    seen(socket) {
      if (!allowances.take(socket, 0)) return;
      socket.data.lastSeenMs = runtime.monotonicMs();
    },
    pong(socket, payload) {
      if (!allowances.take(socket, payload.length)) return;
      socket.data.lastSeenMs = runtime.monotonicMs();
      if (payload !== "" && !socket.data.retired) commands.pong(socket, payload);
    },
    drained,
    closed(socket, code) {
      const { connId, clientType, refusal } = socket.data;
      socket.data.retired = true;
      socket.data.leave();
      if (refusal === undefined) {
        log.info?.("FINISH", SCOPE, `${clientType} Disconnected`, { conn_id: connId, code });
      }
      leave(socket);
    },
    async drain(spreadMs, share) {
      drain = createDrain({ runtime, sockets, sse, spreadMs, share });
      await settle();
      await drain.clients();
    },
    async stop() {
      await settle();
      // From here on nobody is told of a worker that goes only because the hub does.
      backplane.farewell();
      canary?.stop();
      fanout.catchUp();
      drain ??= createDrain({ runtime, sockets, sse, spreadMs: 0 });
      await drain.rest();
      stopLiveness();
      stopHeartbeat();
      slow.stop();
      drains.stop();
      replays.stopAll();
    },
  };
}
