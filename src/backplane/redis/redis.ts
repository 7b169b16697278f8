import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import type { WorkerStatus } from "../../protocol/status.ts";
import type { Runtime } from "../../runtime.ts";
import {
  type Backplane,
  type BackplaneEvents,
  type Figures,
  type Located,
  SILENT,
  SUPERSEDED,
  type WorkerState,
} from "../backplane.ts";
import { createHolds } from "../holds.ts";
import { createIntake } from "../intake.ts";
import { createBarriers } from "./barriers.ts";
import { createConnections } from "./connections.ts";
import { createRedisLedger, whyDead } from "./ledger.ts";
import { createMembers } from "./members.ts";
import { createRedisMetrics } from "./metrics.ts";
import type { Header } from "./operation.ts";
import { createOrders } from "./orders.ts";
import { createPipeline } from "./pipeline.ts";
import type { RedisConfig } from "./settings.ts";
import { createTicks } from "./ticks.ts";
import { createWindow } from "./window.ts";

export interface RedisOptions {
  readonly config: RedisConfig;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "registry" | "published" | "publishSeconds" | "commands">;
}

/** Asks whether Redis takes messages again. */
const PROBE = { args: ["probe"], messages: 0, done: () => undefined };

/** How long a hub that ends waits for what it has asked of Redis. */
const CLOSE_LIMIT_MS = 1_000;

/**
 * The backplane of one hub among several, which share a Redis. Resolves when the hub has joined the stream.
 * @throws {RedisError} when Redis cannot be used; its message is for people
 */
export async function createRedisBackplane(options: RedisOptions): Promise<Backplane & Figures> {
  const { config, runtime, log, metrics } = options;
  const redisMetrics = createRedisMetrics(metrics);
  const window = createWindow(config, runtime);
  let events: BackplaneEvents = SILENT;
  let waiting = 0;
  let keys = 0;

  const heard = (header: Header): void => {
    waiting = header.waiting;
    // Every node sees a status; the one whose call brought it about counts it.
    if (header.announced > 0) metrics.published.add("hub", header.announced);
    window.heardTime(header.nowMs);
    connections.heard(header.epoch, header.seq);
  };
  const connections = createConnections({
    ...{ config, runtime, log, window, metrics: redisMetrics },
    events: {
      entries: (entries) => events.entries(entries),
      reset(why) {
        log.warning?.("FAIL", "redis", "The stream is joined anew", { why });
        barriers.release();
        events.reset(why);
      },
      status(status) {
        log.info?.("STATUS", "redis", `Worker ${status.status}`, { metadata: status.metadata });
        events.status(status);
      },
    },
    registered: (token, offset) => members.registered(token, offset),
    moved: () => barriers.moved(),
    signalled: () => orders.look(),
    up: () => pipeline.up(),
  });
  const pipeline = createPipeline({
    ...{ config, runtime, log, metrics: redisMetrics, heard },
    isUp: connections.isUp,
    send: connections.call,
    restart: connections.restart,
  });
  redisMetrics.showBuffer(pipeline.waiting);
  const { submit } = pipeline;
  const barriers = createBarriers({
    ...{ runtime, submit, isUp: connections.isUp, lastOffset: window.lastOffset },
    timeoutMs: config.REDIS_TIMEOUT_MS,
  });
  const members = createMembers({
    ...{ config, runtime, log, submit },
    accepted: (token, status) => events.registered(token, status),
    superseded(token, why) {
      orders.gone(token);
      events.superseded(token, why);
    },
    isReady: () => orders.look(),
    graceUntil(graceAtMs, nowMs) {
      if (graceAtMs > 0) ticks.dueIn(graceAtMs - nowMs);
    },
  });
  const orders = createOrders({
    ...{ config, runtime, metrics, submit, takers: members.takers, dead: members.dead },
    deliver: (token, deliveries) => events.commands(token, deliveries),
  });
  const intake = createIntake({
    ...{ config, runtime, log, metrics },
    ledger: createRedisLedger(
      submit,
      members.dead,
      createHolds((token, isHeld) => events.hold(token, isHeld)),
    ),
    receivers: (type) => events.receivers(type),
  });
  await connections.open();
  const ticks = createTicks({
    ...{ config, runtime, submit, isUp: connections.isUp },
    firstOffset: window.firstOffset,
    lastOffset: window.lastOffset,
    leases: members.leases,
    review() {
      window.expire();
      members.review(connections.isUp());
      if (!connections.isUp()) return;
      orders.review(waiting);
      if (pipeline.refusing() !== undefined) submit(PROBE);
    },
    ticked({ reply, header, sentAtMs }, leases, lastOffset) {
      const [keyCount, expired, dead] = reply as [number, number, readonly (string | number)[]];
      keys = keyCount;
      orders.expired(expired);
      members.renewed(leases, sentAtMs);
      for (let at = 0; at < dead.length; at += 2) members.dead(String(dead[at]), whyDead(dead[at + 1]));
      if (header.graceAtMs > 0) ticks.dueIn(header.graceAtMs - header.nowMs);
      if (header.seq < lastOffset) connections.doubt();
    },
  });

  return {
    start(started) {
      events = started;
      connections.follow();
    },
    head: window.lastOffset,
    cursorAt: window.cursorAt,
    locate(since) {
      const located = window.locate(since);
      const isPossible = !located.ok && located.reason === "unknown" && parseCursor(since) !== undefined;
      if (!isPossible) return located;
      // Another node may be ahead of this one, and have given it out. Where Redis cannot be asked nobody is told that it is
      // unknown: they are to come back.
      return new Promise<Located>((resolve, reject) => {
        barriers.ask((isSure) => {
          const again = window.locate(since);
          if (isSure || again.ok || again.reason !== "unknown") resolve(again);
          else reject(new Error("Redis gives no answer, so it is not known whether this cursor is good"));
        });
      });
    },
    read: window.read,
    append(publish) {
      if (publish.worker !== undefined && !members.has(publish.worker)) publish.done?.(SUPERSEDED);
      else intake.append(publish);
    },
    barrier: barriers.wait,
    status: window.status,
    register(worker) {
      // Others' messages may still wait behind it; its own come later.
      intake.flush(() => undefined);
      members.register(worker);
    },
    describe(token, metadata) {
      intake.flush(() => members.describe(token, metadata));
    },
    leave(token) {
      intake.flush(() => members.leave(token));
      orders.gone(token);
    },
    worker() {
      const { promise, resolve } = Promise.withResolvers<WorkerState>();
      const newest = members.newest();
      const own = newest && { ...newest, lastSeenAtMs: newest.lastSeenAtMs() };
      if (!connections.isUp()) return { status: window.status(), worker: own, queued: waiting };
      submit({
        args: ["worker"],
        messages: 0,
        done(result) {
          resolve(
            result.ok
              ? stateOf(result.reply, result.header, (token) => members.find(token)?.lastSeenAtMs())
              : { status: window.status(), worker: own, queued: waiting },
          );
        },
      });
      return promise;
    },
    ready: members.ready,
    canTake: orders.canTake,
    sendCommand: orders.send,
    command: orders.find,
    acknowledge: orders.acknowledge,
    flush: intake.stop,
    // The clients of the other nodes stay, and must learn that a worker goes.
    farewell: () => undefined,
    async close() {
      ticks.stop();
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = runtime.after(CLOSE_LIMIT_MS, resolve);
      pipeline.whenIdle(resolve);
      await promise;
      cancel();
      events = SILENT;
      pipeline.close();
      barriers.release();
      connections.close();
    },
    fill: () => ({ ...window.fill(), keys }),
    waiting: () => waiting,
    conflated: intake.conflated,
    checks: () => connections.checks(pipeline.refusing()),
  };
}

/** @param lastSeen of a worker of this node, which knows it better */
function stateOf(
  reply: readonly unknown[],
  { waiting }: Header,
  lastSeen: (token: string) => number | undefined,
): WorkerState {
  const [status, metadata, token, connId, connectedAtMs, lastSeenAtMs] = reply as readonly string[];
  return {
    status: { status, metadata } as WorkerStatus,
    worker:
      token === undefined
        ? undefined
        : {
            connId: connId ?? "",
            connectedAtMs: Number(connectedAtMs),
            lastSeenAtMs: lastSeen(token) ?? Number(lastSeenAtMs),
          },
    queued: waiting,
  };
}
