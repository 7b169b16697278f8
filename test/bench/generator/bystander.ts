import type { Connection } from "./connection.ts";
import { createEnvelopeReader, readCursor, STREAM_HEADERS } from "./envelope.ts";
import { readSequence } from "./messages.ts";
import { connectPublisher } from "./publisher.ts";
import { connectWebSocket } from "./websocket.ts";

export interface BystanderOptions {
  /** The server's root. */
  url: string;
  workerSecret: string;
}

/** A live subscriber, and the worker whose messages it waits for. One clock times both ends. */
export interface Bystander {
  /**
   * Publishes `messages` at once and waits until the subscriber has them.
   * @returns the cursor before them, the number of the first, and the number that comes next
   */
  publishAtOnce(messages: number): Promise<{ cursor: string; first: number; next: number }>;
  /** From now on publishes a message every 1,000 ÷ `perSecond` milliseconds, in single writes. */
  startPace(perSecond: number): void;
  /**
   * Ends that, and waits until the subscriber has everything.
   * @returns how long each message took in milliseconds, from when it should have been sent; and the number that comes next
   */
  stopPace(): Promise<{ latenciesMs: number[]; next: number }>;
  close(): void;
}

const MAX_AT_ONCE = 10_000;
const LOST_AFTER_MS = 30_000;

export async function connectBystander({ url, workerSecret }: BystanderOptions): Promise<Bystander> {
  const failure = Promise.withResolvers<never>();
  // Whoever waits next learns of it; that nobody waits at this moment is no unhandled rejection.
  failure.promise.catch(() => undefined);
  const greeted = Promise.withResolvers<void>();
  let cursor = "";
  let received = 0;
  let onReceived = (): void => undefined;
  /** When each paced message should have been sent, by its number. */
  const intendedMs = new Map<number, number>();
  let latenciesMs: number[] = [];

  const onFrame = createEnvelopeReader({
    onMessage(bytes, start, end, idStart) {
      const sequence = readSequence(bytes, start, end);
      if (sequence !== received) throw new Error(`received message ${sequence} instead of ${received}`);
      received += 1;
      cursor = readCursor(bytes, idStart);
      const intended = intendedMs.get(sequence);
      if (intended !== undefined) latenciesMs.push(performance.now() - intended);
      onReceived();
    },
    onOther(text) {
      if (text === "pong") return;
      const envelope = JSON.parse(text) as { type: string; id?: string; cursor?: string };
      cursor = envelope.id ?? envelope.cursor ?? cursor;
      if (envelope.type === "live") greeted.resolve();
    },
  });
  const onFailure = (error: Error): void => failure.reject(new Error(`bystander: ${error.message}`));
  const subscriber: Connection = await connectWebSocket({
    url: new URL("/ws", url),
    headers: STREAM_HEADERS,
    onFrame,
    onChunkEnd: () => undefined,
    onFailure,
  });
  await greeted.promise;
  const publisher = await connectPublisher({ url, workerSecret, maxInFlight: MAX_AT_ONCE, onFailure });

  async function caughtUp(): Promise<void> {
    const all = Promise.withResolvers<void>();
    onReceived = () => {
      if (received === publisher.sent) all.resolve();
    };
    onReceived();
    const lost = setTimeout(() => {
      failure.reject(new Error(`bystander: received ${received} messages of ${publisher.sent}`));
    }, LOST_AFTER_MS);
    await Promise.race([all.promise, failure.promise]).finally(() => clearTimeout(lost));
  }

  let stopTimer = (): void => undefined;

  return {
    async publishAtOnce(messages) {
      const before = { cursor, first: publisher.sent };
      publisher.send(messages);
      await caughtUp();
      return { ...before, next: publisher.sent };
    },
    startPace(perSecond) {
      const intervalMs = 1_000 / perSecond;
      const startMs = performance.now();
      let due = 0;
      latenciesMs = [];
      intendedMs.clear();
      // A late timer sends what it owes: the delay counts against the message, not against the pace.
      const timer = setInterval(() => {
        for (; startMs + due * intervalMs <= performance.now(); due += 1) {
          intendedMs.set(publisher.sent, startMs + due * intervalMs);
          publisher.send(1);
        }
      }, 1);
      stopTimer = () => clearInterval(timer);
    },
    async stopPace() {
      stopTimer();
      await caughtUp();
      return { latenciesMs, next: publisher.sent };
    },
    close() {
      stopTimer();
      publisher.close();
      subscriber.end();
    },
  };
}
