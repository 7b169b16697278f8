import { secretChecks } from "../../auth/secret.ts";
import { createEdge } from "../../edge/edge.ts";
import { ListenError } from "../../edge/listener.ts";
import { createOpsRoutes } from "../../edge/routes.ts";
import { watchLoopLag } from "../../observe/figures.ts";
import { createLog } from "../../observe/log.ts";
import { createMetrics } from "../../observe/metrics.ts";
import type { Runtime } from "../../runtime.ts";
import { createOutbox } from "../wire/batch.ts";
import { createHotline } from "../wire/hotline.ts";
import { createTally } from "../wire/tally.ts";
import type { ToCore } from "../wire/to-core.ts";
import type { EdgeStart, ToEdge } from "../wire/to-edge.ts";
import { createRemoteForwardAuth } from "./identify.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createRemoteLimits } from "./limits.ts";
import { createLogLines } from "./log-line.ts";
import { createOperators } from "./operators.ts";
import { createPort } from "./port.ts";
import { createQuestions } from "./questions.ts";
import { createReceipts, type Receipts } from "./receipts.ts";

/** How often the core is told what it is not asked for. */
const TICK_MS = 1_000;

/** What Bun reads from a socket at a time: so much a hub with one thread takes from a worker in a turn. */
const TURN_BYTES = 524_288;

/** Runs an edge in this thread: it listens where the others do, and has a core in place of a backplane. */
export function startEdgeThread(
  { config, thread, host, port: tcpPort, stream, ...memory }: EdgeStart,
  system: Runtime,
  post: (batch: string) => void,
): Inbox {
  // Most is said at the end of a step, and not of a turn: what a client has been told must be known to the core first.
  const outbox = createOutbox<ToCore>(post, queueMicrotask, system.soon);
  const questions = createQuestions(outbox);
  const logLines = createLogLines(outbox);
  const runtime: Runtime = { ...system, writeLog: logLines.write };
  const log = createLog({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    nowMs: runtime.nowMs,
    write: runtime.writeLog,
  });
  const metrics = createMetrics();
  const lag = watchLoopLag(runtime);
  const port = createPort({
    config,
    runtime,
    log,
    outbox,
    questions,
    stream,
    delivered: (entries) => receipts.delivered(entries),
  });
  const { checkSecret, checkOperator } = secretChecks(config);
  const hotline = createHotline(memory.hotline, (call, what, address) => {
    outbox.say({ op: "call", call, what, address });
    outbox.flush();
  });
  const limits = createRemoteLimits(config, createTally(memory.tally, thread), hotline, outbox);
  const forwardAuth =
    config.CLIENT_AUTH_URL === undefined ? undefined : createRemoteForwardAuth(questions, outbox);
  const edge = createEdge({
    config,
    runtime,
    log,
    metrics,
    backplane: port.backplane,
    limits,
    forwardAuth,
    checkSecret,
    audience: (types, transport, by) =>
      outbox.say({ op: "audience", changes: [[types === undefined ? null : [...types], transport, by]] }),
  });
  const { hub, guard } = edge;
  const receipts: Receipts = createReceipts(outbox, hub.behindLive);

  const listen = async (): Promise<void> => {
    const operators = { ...createOperators(questions), config, log, metrics, guard, checkOperator };
    const operatorRoutes = config.OPS_PORT === undefined ? createOpsRoutes(operators) : {};
    try {
      await edge.listen({ host, port: tcpPort, isShared: true }, operatorRoutes);
      outbox.say({ op: "listening" });
    } catch (error) {
      outbox.say({
        op: "failed",
        why: error instanceof Error ? error.message : String(error),
        isListenError: error instanceof ListenError,
      });
    }
  };

  const report = (id: number | undefined): void => {
    const { canary } = hub;
    outbox.say({
      op: "report",
      id,
      report: {
        counts: metrics.registry.take(),
        ...hub.connections(),
        sse: hub.sse.count(),
        lagSeconds: lag.worstSeconds(),
        canary: canary && { roundTripSeconds: canary.roundTripSeconds(), isOverdue: canary.isOverdue() },
      },
    });
  };

  const take = (op: ToEdge): void => {
    switch (op.op) {
      case "report":
        logLines.taken(op.logged);
        report(op.id);
        break;
      case "unlisten":
        edge.unlisten();
        break;
      case "drain":
        void hub.drain(op.spreadMs, op.share).then(() => outbox.say({ op: "drained" }));
        break;
      case "stop":
        void edge.stop().then(() => {
          report(undefined);
          outbox.say({ op: "stopped" });
        });
        break;
      default:
        throw new Error(`nobody takes ${op.op}`);
    }
  };

  runtime.every(TICK_MS, () => {
    port.tick();
    receipts.tick();
  });
  void listen();

  return createInbox({
    runtime,
    turnBytes: Math.min(TURN_BYTES, config.SLOW_CONSUMER_BYTES / 8),
    take(op, texts) {
      try {
        if (!port.take(op, texts)) take(op);
      } catch (error) {
        // What one connection makes of it must not end the others.
        log.error?.("FAIL", "threads", "Unexpected error", {
          op: op.op,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      }
    },
  });
}
