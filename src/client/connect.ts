import { readFilter } from "../protocol/filter.ts";
import { WORKER_STATUS } from "../protocol/message.ts";
import { readAddress } from "./address.ts";
import { createDialer } from "./dialer.ts";
import { HubError } from "./errors.ts";
import { type Frame, type MessageFrame, readFrame, readWorker } from "./frame.ts";
import { createInbox, createResolvers } from "./inbox.ts";
import { createLine } from "./line.ts";
import type { Connection, ConnectionInfo, ConnectOptions, Message, Received, Reset } from "./options.ts";
import { systemRuntime } from "./runtime.ts";
import { createStatusWatch } from "./status.ts";
import { createValidate } from "./validate.ts";

export const BACKOFF = { firstMs: 1_000, limitMs: 30_000, stableMs: 60_000 };
export const OPEN_TIMEOUT_MS = 10_000;
export const PROBE_TIMEOUT_MS = 5_000;
const SILENCE_MIN_MS = 5_000;
const SILENT_HEARTBEATS = 2.5;
const BUFFER_MESSAGES = 1_000;
const BUFFER_CHARS = 4_194_304;
const CURSOR = /^[0-9A-Za-z._:-]{1,64}$/;

type Item<T> = Received<T> | { readonly reset: Reset };

/**
 * Subscribes to the stream (PROTOCOL.md, section 3), and stays subscribed until `close` or until the hub says that it should
 * not come back.
 * @param url the hub's address, or that of its WebSocket: `https://hub.example`, `wss://hub.example/api/v1/ws`
 * @throws TypeError for options that cannot work; what happens later is told by `closed`
 */
export function connect<T = Message>(url: string, options: ConnectOptions<T> = {}): Connection<T> {
  const { onMessage, since } = options;
  const address = readAddress(url);
  const types = readTypes(options.types);
  if (since !== undefined && !CURSOR.test(since)) throw new TypeError("since is no cursor");
  const runtime = options.runtime ?? systemRuntime();
  const openTimeoutMs = options.openTimeoutMs ?? OPEN_TIMEOUT_MS;
  const dialer = createDialer(options, address, runtime, openTimeoutMs, () => line.redial());
  const validate = createValidate(options.validate);
  const over = createResolvers<HubError | undefined>();
  const inbox = createInbox<Item<T>>({
    messages: options.bufferMessages ?? BUFFER_MESSAGES,
    chars: options.bufferChars ?? BUFFER_CHARS,
  });
  /** The cursor behind the last message received, and behind the last one handed over. */
  let received: string | undefined;
  let lastId: string | undefined;
  let isLive = false;
  let heartbeatMs: number | undefined;
  let connId: string | undefined;
  let resumed = 0;
  let resets = 0;

  const guard = <A>(callback: ((value: A) => void) | undefined, value: A): void => {
    try {
      callback?.(value);
    } catch (error) {
      runtime.report(error);
    }
  };
  const status = createStatusWatch((now) => guard(options.onStatus, now));
  const moveTo = (cursor: string): void => {
    received = cursor;
    if (inbox.isEmpty()) lastId = cursor;
  };
  const handOver = (item: Item<T>): void => {
    if ("reset" in item) {
      lastId = item.reset.id;
      guard(options.onReset, item.reset);
    } else {
      lastId = item.id;
      guard(onMessage, item);
    }
  };
  /** Passed on at once where a callback takes it; otherwise it waits for the loop. */
  const deliver = (item: Item<T>, chars: number): void => {
    if (onMessage !== undefined || ("reset" in item && inbox.isEmpty())) {
      handOver(item);
      return;
    }
    inbox.push(item, chars);
    if (inbox.isFull()) line.hold();
  };

  const takeHello = (hello: Extract<Frame, { type: "hello" }>): void => {
    const hadCursor = received !== undefined;
    const asked = received ?? since;
    ({ heartbeatMs, connId } = hello);
    isLive = false;
    received = hello.cursor;
    if (lastId === undefined) lastId = hello.cursor;
    dialer.opened();
    status.take(hello.worker);
    line.opened();
    if (hello.notResumed === undefined) {
      if (hadCursor) resumed += 1;
      return;
    }
    const reason =
      hello.notResumed === "none" ? "start" : hello.notResumed === "evicted" ? "evicted" : "unknown";
    if (reason !== "start") resets += 1;
    deliver({ reset: { reason, since: asked, id: hello.cursor } }, 0);
  };

  const takeMessage = ({ cursor, data, text }: MessageFrame): void => {
    const type = typeof data["type"] === "string" ? data["type"] : undefined;
    received = cursor;
    if (type === WORKER_STATUS) {
      // A replayed one is history: `hello` and `live` say what is so now.
      if (isLive) status.take(readWorker(data));
      if (options.statusMessages !== true) {
        moveTo(cursor);
        return;
      }
    }
    const checked = validate(data);
    if (checked.ok) {
      deliver({ id: cursor, type, data: checked.data, text, replayed: !isLive }, text.length);
    } else if (options.onInvalid !== undefined) {
      moveTo(cursor);
      guard(options.onInvalid, { id: cursor, text, error: checked.error });
    } else {
      const message = `the message ${cursor} does not pass validate`;
      line.fail(new HubError("invalid_message", message, { cause: checked.error }));
    }
  };

  const take = (frame: Frame): void => {
    if (frame.type === "hello") takeHello(frame);
    else if (line.info().state !== "open") return;
    else if (frame.type === "message") takeMessage(frame);
    else if (frame.type === "live") {
      isLive = true;
      moveTo(frame.cursor);
      status.take(frame.worker);
      guard(options.onLive, undefined);
    } else if (frame.type === "position") moveTo(frame.cursor);
    else if (frame.type === "goodbye") line.comeBackAfter(frame.reconnectAfterMs);
  };

  const info = (): ConnectionInfo => ({
    ...line.info(),
    ...{ transport: dialer.transport, resumed, resets, connId, heartbeatMs, isLive },
  });

  const line = createLine({
    runtime,
    backoff: { ...BACKOFF, ...options.backoff },
    openTimeoutMs,
    probeTimeoutMs: options.probeTimeoutMs ?? PROBE_TIMEOUT_MS,
    silenceLimitMs: () =>
      Math.max(SILENCE_MIN_MS, (options.silentHeartbeats ?? SILENT_HEARTBEATS) * (heartbeatMs ?? 0)),
    dial: (sink) => dialer.dial({ types, since: received ?? since }, sink),
    frame: (text) => take(readFrame(text)),
    lost: (_, wasOpen) => dialer.ended(wasOpen),
    changed() {
      if (line.info().state !== "open") isLive = false;
      guard((now: ConnectionInfo) => options.onState?.(now.state, now), info());
    },
    over(error) {
      dialer.stop();
      if (error === undefined) inbox.clear();
      inbox.end(error);
      over.resolve(error);
    },
  });

  const next = async (): Promise<IteratorResult<Received<T>, undefined>> => {
    while (true) {
      // Whoever asks for the next message is done with the last one.
      if (inbox.isEmpty() && received !== undefined) lastId = received;
      const item = await inbox.next();
      if (inbox.hasRoom()) line.release();
      if (item === undefined) return { done: true, value: undefined };
      handOver(item);
      if (!("reset" in item)) return { done: false, value: item };
    }
  };

  return {
    get state() {
      return line.info().state;
    },
    get lastId() {
      return lastId;
    },
    get workerStatus() {
      return status.current;
    },
    closed: over.promise,
    info,
    tryNow: line.wake,
    close: line.close,
    [Symbol.asyncIterator]() {
      if (onMessage !== undefined)
        throw new TypeError("messages go to onMessage: use it or for await, not both");
      return { next, return: () => Promise.resolve({ done: true, value: undefined }) };
    },
  };
}

function readTypes(types: readonly string[] | undefined): string | undefined {
  if (types === undefined) return undefined;
  const filter = readFilter(types.join(","));
  if (!filter.ok) throw new TypeError(filter.why);
  return types.join(",");
}
