import { isReserved, parseMessage } from "../protocol/message.ts";
import { readAddress } from "./address.ts";
import { type Command, createCommands } from "./commands.ts";
import { BACKOFF, OPEN_TIMEOUT_MS } from "./connect.ts";
import { HubError } from "./errors.ts";
import { type Frame, readFrame } from "./frame.ts";
import { createResolvers } from "./inbox.ts";
import { createLine, type LineInfo, type State } from "./line.ts";
import { createOutbox, type OutboxLimit } from "./outbox.ts";
import { type ClientRuntime, systemRuntime } from "./runtime.ts";
import { openWebSocket, type WebSocketConstructor } from "./websocket.ts";

export interface WorkerOptions {
  /** The hub's WORKER_SECRET. */
  readonly secret: string;
  /** What the worker says of itself, in the WORKER_STATUS that dashboards see: at most 16 KiB of JSON. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Does what a command asks for. The command is acknowledged when it returns, or when its promise resolves. */
  readonly onCommand?: ((command: Command) => unknown) | undefined;
  /** Is told of a handler that has thrown. Without it the error counts as uncaught. */
  readonly onCommandFailed?: ((error: unknown, command: Command) => void) | undefined;
  /** How many commands may be worked on at once. Default: 1, so that each begins when the one before it is done. */
  readonly commandsAtOnce?: number | undefined;
  /** Is told of every change of the connection's state. */
  readonly onState?: ((state: State, info: LineInfo) => void) | undefined;
  /** How much may wait for its acknowledgement. Default: 10,000 messages and 16 MiB. */
  readonly outboxLimit?: Partial<OutboxLimit> | undefined;
  /** The hub's MAX_MESSAGE_BYTES: it ends a connection over which a larger frame comes. Default: 1 MiB. */
  readonly messageLimitBytes?: number | undefined;
  /** A hub that is silent for so long is sent a `ping`. Default: 10 s. */
  readonly pingIntervalMs?: number | undefined;
  /** How long the answer to it may take. Default: 15 s. */
  readonly probeTimeoutMs?: number | undefined;
  readonly openTimeoutMs?: number | undefined;
  readonly backoff?: { readonly firstMs?: number; readonly limitMs?: number; readonly stableMs?: number };
  /** Sends the secret as the header `x-worker-secret` or as `?token=`. Default: the header where the runtime is Bun or Node. */
  readonly secretIn?: "header" | "query" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly WebSocket?: WebSocketConstructor | undefined;
  readonly runtime?: ClientRuntime | undefined;
}

export interface PublishOptions {
  /**
   * The idempotency key: printable ASCII, at most 255 characters. By default each message gets one of its own. The hub remembers
   * keys for 10 minutes, 100,000 of them: who publishes more than about 150 messages a second for long says `false`, and then a
   * message whose acknowledgement is lost with the connection is rejected with `uncertain` rather than sent again.
   */
  readonly key?: string | false | undefined;
}

/** A worker that outlives its connections (PROTOCOL.md, section 3). */
export interface Worker {
  readonly state: State;
  info(): LineInfo;
  /** What waits for its acknowledgement. */
  readonly outbox: OutboxLimit;
  /** Bytes that the runtime has not sent yet, for whoever wants to publish at the pace of the network. */
  unsentBytes(): number;
  /**
   * Publishes one message, now or when there is a connection again, in the order of the calls and once.
   * @param message an object, or the JSON text of one, which is forwarded byte for byte
   * @returns the message's cursor, when the hub has acknowledged it; rejects with a HubError: `outbox_full`, `too_large`,
   * `rejected`, `uncertain`, `closed`, or what ended the connection
   * @throws TypeError for what is no message
   */
  publish(message: object | string, options?: PublishOptions): Promise<string>;
  /** Names the worker anew. */
  updateMetadata(metadata: Readonly<Record<string, unknown>>): void;
  /** Takes no more messages, waits up to `flushMs` (5 s) until those before are acknowledged, and ends the connection. */
  close(options?: { readonly flushMs?: number }): Promise<void>;
  /** Resolves when it is over: with the error that ended it, or with undefined after `close`. It never rejects. */
  readonly closed: Promise<HubError | undefined>;
}

const OUTBOX_LIMIT: OutboxLimit = { messages: 10_000, bytes: 16_777_216 };
const MESSAGE_LIMIT_BYTES = 1_048_576;
/** The envelope with the longest key. */
const ENVELOPE_BYTES = 512;
const PING_INTERVAL_MS = 10_000;
const ANSWER_LIMIT_MS = 15_000;
const FLUSH_MS = 5_000;
const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Connects as a worker, and stays connected until `close`, or until the hub refuses it or a newer worker replaces it.
 * @param url as for `connect`
 * @throws TypeError for options that cannot work
 */
export function connectWorker(url: string, options: WorkerOptions): Worker {
  const address = readAddress(url);
  const runtime = options.runtime ?? systemRuntime();
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
  if (WebSocket === undefined) throw new TypeError("this runtime has no WebSocket: give one in the options");
  const inHeader = (options.secretIn ?? (takesHeaders() ? "header" : "query")) === "header";
  const headers = inHeader ? { ...options.headers, "x-worker-secret": options.secret } : options.headers;
  const query = { client_type: "worker", token: inHeader ? undefined : options.secret };
  const messageLimitBytes = options.messageLimitBytes ?? MESSAGE_LIMIT_BYTES;
  const over = createResolvers<HubError | undefined>();
  const keyPrefix = runtime.randomHex(8);
  let keys = 0;
  let metadata = options.metadata ?? {};
  let isClosing = false;
  /** Open, and the messages of before are on their way: what `onState` publishes must not overtake them. */
  let isReady = false;

  const outbox = createOutbox(
    runtime,
    { ...OUTBOX_LIMIT, ...options.outboxLimit },
    (frame) => isReady && line.send(frame),
  );
  const commands = createCommands({
    runtime,
    handle: (command) => options.onCommand?.(command),
    failed: options.onCommandFailed,
    concurrency: options.commandsAtOnce ?? 1,
    send: (frame) => line.send(frame),
  });
  const register = (): void => void line.send(JSON.stringify({ type: "register", metadata }));

  const take = (frame: Frame): void => {
    // The hub's first word to a worker is its own status; one that is not let in gets a close code instead.
    if (frame.type === "worker" && line.info().state === "connecting") {
      line.opened();
      // In this order: what is acknowledged first is not sent again.
      commands.resend();
      register();
      isReady = true;
      outbox.resend();
    } else if (frame.type === "ack") outbox.acknowledged(frame.ref, frame.cursor);
    else if (frame.type === "error" && frame.ref !== undefined) outbox.refused(frame.ref, frame.reason);
    else if (frame.type === "command" && options.onCommand !== undefined) commands.take(frame);
    else if (frame.type === "goodbye") line.comeBackAfter(frame.reconnectAfterMs);
  };

  const line = createLine({
    runtime,
    backoff: { ...BACKOFF, ...options.backoff },
    openTimeoutMs: options.openTimeoutMs ?? OPEN_TIMEOUT_MS,
    probeTimeoutMs: options.probeTimeoutMs ?? ANSWER_LIMIT_MS,
    silenceLimitMs: () => options.pingIntervalMs ?? PING_INTERVAL_MS,
    dial: (sink) => openWebSocket({ WebSocket, url: address.webSocket(query), headers }, sink),
    frame: (text) => take(readFrame(text)),
    lost: () => undefined,
    changed() {
      if (line.info().state !== "open") isReady = false;
      try {
        options.onState?.(line.info().state, line.info());
      } catch (error) {
        runtime.report(error);
      }
    },
    over(error) {
      isClosing = true;
      commands.stop();
      outbox.fail(error ?? new HubError("closed", "the worker was closed before the acknowledgement"));
      over.resolve(error);
    },
  });

  return {
    get state() {
      return line.info().state;
    },
    info: line.info,
    outbox,
    unsentBytes: () => line.session()?.unsentBytes() ?? 0,
    publish(message, { key } = {}) {
      const text = readMessage(message);
      if (typeof key === "string" && !KEY.test(key)) throw new TypeError("key is not printable ASCII");
      if (isClosing) return Promise.reject(new HubError("closed", "the worker has been closed"));
      const bytes = new TextEncoder().encode(text).byteLength;
      if (bytes + ENVELOPE_BYTES > messageLimitBytes)
        return Promise.reject(
          new HubError("too_large", `${bytes} bytes are more than the hub takes in a message`),
        );
      keys += 1;
      return outbox.add(text, bytes, key === false ? undefined : (key ?? `${keyPrefix}-${keys}`));
    },
    updateMetadata(next) {
      metadata = next;
      register();
    },
    async close({ flushMs = FLUSH_MS } = {}) {
      if (!isClosing) {
        isClosing = true;
        const flushed = createResolvers<void>();
        const cancel = runtime.after(flushMs, flushed.resolve);
        outbox.empty().then(flushed.resolve, flushed.reject);
        await flushed.promise;
        cancel();
        line.close();
      }
      await over.promise;
    },
    closed: over.promise,
  };
}

/** @returns the JSON text of one message */
function readMessage(message: object | string): string {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  const parsed = parseMessage(text);
  if (parsed.code !== "object") throw new TypeError("a message is a JSON object");
  const { type } = parsed;
  if (isReserved(type)) throw new TypeError(`the type ${type} is reserved`);
  return text;
}

/** Bun's WebSocket and Node's take headers; a browser's takes none. */
function takesHeaders(): boolean {
  const { process }: { readonly process?: { readonly versions?: { readonly node?: string } } } = globalThis;
  return process?.versions?.node !== undefined;
}
