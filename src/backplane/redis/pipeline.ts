import type { Log } from "../../observe/log.ts";
import type { Cancel, Runtime } from "../../runtime.ts";
import { batchSize, type Call, callOf, type Item } from "./batch.ts";
import { explain, LinkError, replyCode } from "./error.ts";
import type { RedisMetrics } from "./metrics.ts";
import type { Failed, Header, Operation } from "./operation.ts";
import { awayFor, bufferFull, ENDED, REPEATED, refusedBy, unanswered } from "./refusals.ts";
import type { RedisConfig } from "./settings.ts";

/** Everything that is asked of Redis in order: a batch at a time, each done once however often the connection breaks. */
export interface Pipeline {
  submit(operation: Operation): void;
  /** A connection is there. */
  up(): void;
  /** Why Redis refuses to write, while it does. */
  refusing(): string | undefined;
  waiting(): { readonly messages: number; readonly bytes: number };
  /** Calls `done` when nothing is under way or waits. */
  whenIdle(done: () => void): void;
  close(): void;
}

export interface PipelineOptions {
  readonly config: RedisConfig;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: RedisMetrics;
  readonly isUp: () => boolean;
  /** Sends a call: its number, and operations as apply.lua reads them. */
  readonly send: (args: readonly string[]) => Promise<unknown>;
  /** Ends the connection, for a new handshake. */
  readonly restart: (why: string) => void;
  readonly heard: (header: Header) => void;
}

/** While Redis is there, so much may wait for the call that is under way. */
const FLOW_LIMIT_MESSAGES = 10_000;
const FLOW_LIMIT_BYTES = 16_777_216;
/** What is no message is bounded by how many there are. */
const CONTROL_LIMIT = 10_000;

export function createPipeline(options: PipelineOptions): Pipeline {
  const { config, runtime, log, metrics, isUp } = options;
  const timeoutMs = config.REDIS_TIMEOUT_MS;
  let waiting: Item[] = [];
  let call: Call | undefined;
  /** Is the call on the connection that is there now? */
  let isSent = false;
  /** Counts sendings: the answer of a connection that has gone is nobody's any more. */
  let attempt = 0;
  let calls = 0;
  let messages = 0;
  let bytes = 0;
  let controls = 0;
  let refusing: string | undefined;
  let isClosed = false;
  let isScheduled = false;
  let cancelTimer: Cancel | undefined;
  let idle: (() => void)[] = [];

  const settle = (item: Item, run: (operation: Operation) => void): void => {
    if (item.isOver) return;
    item.isOver = true;
    messages -= item.operation.messages;
    bytes -= item.bytes;
    if (item.operation.messages === 0) controls -= 1;
    run(item.operation);
  };
  const refuse = (item: Item, reason: "buffer" | "deadline" | "error", failed: Failed): void =>
    settle(item, (operation) => {
      metrics.refused.add(reason);
      operation.done(failed);
    });

  const expire = (): void => {
    cancelTimer = undefined;
    const nowMs = runtime.monotonicMs();
    const isLate = (item: Item): boolean => nowMs - item.madeAtMs >= timeoutMs;
    for (const item of call?.items ?? []) {
      if (isLate(item)) refuse(item, "deadline", unanswered(timeoutMs));
    }
    let late = 0;
    while (late < waiting.length && isLate(waiting[late] as Item)) late++;
    for (const item of waiting.splice(0, late)) refuse(item, "deadline", awayFor(timeoutMs));
    watch();
  };
  /** All wait equally long, so the oldest is the next to be over. */
  const watch = (): void => {
    if (cancelTimer !== undefined || isClosed) return;
    const oldest = call?.items.find(({ isOver }) => !isOver) ?? waiting[0];
    if (oldest === undefined) return;
    const leftMs = Math.max(1, oldest.madeAtMs + timeoutMs - runtime.monotonicMs());
    cancelTimer = runtime.after(leftMs, expire);
  };

  const nextCall = (): Call | undefined => {
    const items = waiting.splice(0, batchSize(waiting));
    const [first] = items;
    if (first === undefined) return undefined;
    const isAlone = first.operation.isAlone === true;
    if (!isAlone) calls += 1;
    return callOf(items, isAlone ? 0 : calls, runtime.monotonicMs());
  };

  /** What is asked in one step goes in one call. */
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      pump();
    });
  };
  const pump = (): void => {
    if (isSent || isClosed || !isUp()) return;
    // Nobody waits for it any more: it must not be done behind their backs.
    if (call?.items.every(({ isOver }) => isOver)) call = undefined;
    call ??= nextCall();
    if (call === undefined) {
      for (const done of idle.splice(0)) done();
      return;
    }
    isSent = true;
    attempt += 1;
    const own = attempt;
    const sent = call;
    const startedMs = runtime.monotonicMs();
    options.send(sent.args).then(
      (reply) => {
        metrics.callSeconds.observe((runtime.monotonicMs() - startedMs) / 1000);
        if (own === attempt && isSent) answered(sent, reply);
      },
      (error: unknown) => {
        if (own === attempt && isSent) failed(sent, error);
      },
    );
  };

  const answered = (sent: Call, reply: unknown): void => {
    isSent = false;
    call = undefined;
    if (isClosed) return;
    if (sent.items.some(({ operation }) => WRITES.has(operation.args[0] ?? ""))) refusing = undefined;
    const [epoch, seq, queued, nowMs, graceAtMs, announced, results] = reply as [
      ...[string, string, number, string, string, number],
      (readonly unknown[])[],
    ];
    const header: Header = {
      epoch,
      seq: Number(seq),
      waiting: queued,
      nowMs: Number(nowMs),
      graceAtMs: Number(graceAtMs),
      announced,
    };
    options.heard(header);
    sent.items.forEach((item, at) => {
      const result = results[at] ?? [];
      settle(item, ({ done }) => done({ ok: true, reply: result, header, sentAtMs: sent.sentAtMs }));
    });
    pump();
  };

  const failed = (sent: Call, error: unknown): void => {
    isSent = false;
    if (isClosed) return;
    const code = replyCode(error);
    if (error instanceof LinkError || (code !== undefined && REPEATED.has(code))) {
      if (code !== undefined) options.restart(explain(error));
      // The new connection may be there already.
      pump();
      return;
    }
    call = undefined;
    const why = explain(error);
    if (refusing === undefined) log.error?.("FAIL", "redis", "Redis refuses a call", { why });
    refusing = why;
    const result = refusedBy(code, why);
    for (const item of sent.items) refuse(item, "error", result);
    // Done in part, or on a server that is not the one to write to: the handshake puts it right.
    if (result.code !== "storage") options.restart(why);
    pump();
  };

  return {
    submit(operation) {
      const size = operation.args.reduce((sum, arg) => sum + Buffer.byteLength(arg), 0);
      const item = { operation, bytes: size, madeAtMs: runtime.monotonicMs(), isOver: false };
      messages += operation.messages;
      bytes += size;
      if (operation.messages === 0) controls += 1;
      const limit = isUp()
        ? Math.max(FLOW_LIMIT_MESSAGES, config.REDIS_BUFFER_MESSAGES)
        : config.REDIS_BUFFER_MESSAGES;
      const limitBytes = isUp()
        ? Math.max(FLOW_LIMIT_BYTES, config.REDIS_BUFFER_BYTES)
        : config.REDIS_BUFFER_BYTES;
      const isFull =
        operation.messages > 0 ? messages > limit || bytes > limitBytes : controls > CONTROL_LIMIT;
      const isLone = isUp() && messages === operation.messages;
      if (isClosed || (isFull && !isLone)) {
        refuse(item, "buffer", isClosed ? ENDED : bufferFull(config));
        return;
      }
      waiting.push(item);
      schedule();
      watch();
    },
    up() {
      isSent = false;
      pump();
    },
    refusing: () => refusing,
    waiting: () => ({ messages, bytes }),
    whenIdle(done) {
      if (call === undefined && waiting.length === 0) done();
      else idle.push(done);
    },
    close() {
      isClosed = true;
      cancelTimer?.();
      for (const item of call?.items ?? []) refuse(item, "deadline", ENDED);
      for (const item of waiting.splice(0)) refuse(item, "deadline", ENDED);
      idle = [];
      waiting = [];
    },
  };
}

/** Their success says that Redis has room, too; `probe` is nothing else. */
const WRITES = new Set(["unit", "accept", "probe"]);
