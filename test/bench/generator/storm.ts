import type { Connection } from "./connection.ts";
import { createEnvelopeReader, STREAM_HEADERS } from "./envelope.ts";
import { messageBytes, readSequence } from "./messages.ts";
import { connectWebSocket } from "./websocket.ts";

export interface StormOptions {
  /** The server's root. */
  url: string;
  clients: number;
  /** Where all of them resume. */
  cursor: string;
  /** The number of the first message that they missed, and how many they missed at least. */
  first: number;
  missed: number;
}

export interface StormResult {
  /** From the first connect, for each client, until its `live`; in milliseconds, ascending. */
  liveAfterMs: number[];
  /** Messages that came before `live`, of all clients together. */
  replayed: number;
}

/** Clients that have resumed and stay connected. */
export interface Storm {
  readonly result: StormResult;
  /** Waits until every client has all messages below number `next`, then closes them. */
  finish(next: number): Promise<void>;
  close(): void;
}

const LOST_AFTER_MS = 120_000;

interface Client {
  /** The number of the message that must come next. */
  next: number;
  isGreeted: boolean;
  isLive: boolean;
}

/**
 * Connects all clients at once, stream-framed and with `since`, and resolves when the last one is live. Rejects where a
 * client is not resumed, misses a message, gets one twice or out of order, or is live before it has what it missed.
 */
export async function startStorm(options: StormOptions): Promise<Storm> {
  const { clients: count, first, missed } = options;
  const url = new URL("/ws", options.url);
  url.searchParams.set("since", options.cursor);
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const allLive = Promise.withResolvers<void>();
  const allReceived = Promise.withResolvers<void>();
  const liveAfterMs: number[] = [];
  const clients: Client[] = [];
  const connections: Connection[] = [];
  let replayed = 0;
  let awaited = Number.POSITIVE_INFINITY;
  let complete = 0;
  const startMs = performance.now();

  function onText(client: Client, text: string): void {
    const envelope = JSON.parse(text) as { type: string; resumed?: boolean; cursor?: string };
    if (envelope.type === "hello") {
      const isRight = envelope.resumed === true && envelope.cursor === options.cursor && !client.isGreeted;
      if (!isRight) throw new Error(`was not resumed: ${text}`);
      client.isGreeted = true;
    } else if (envelope.type === "live") {
      if (client.isLive) throw new Error("was live twice");
      if (client.next < first + missed) throw new Error(`was live before message ${client.next}`);
      client.isLive = true;
      replayed += client.next - first;
      liveAfterMs.push(performance.now() - startMs);
      if (liveAfterMs.length === count) allLive.resolve();
    }
  }

  async function connect(index: number): Promise<void> {
    const client: Client = { next: first, isGreeted: false, isLive: false };
    clients[index] = client;
    connections[index] = await connectWebSocket({
      url,
      headers: STREAM_HEADERS,
      onFrame: createEnvelopeReader({
        onMessage(bytes, start, end) {
          const sequence = readSequence(bytes, start, end);
          if (!client.isGreeted) throw new Error(`received message ${sequence} before hello`);
          if (sequence !== client.next)
            throw new Error(`received message ${sequence} instead of ${client.next}`);
          if (index === 0 && messageBytes(sequence).compare(bytes, start, end) !== 0) {
            throw new Error(`message ${sequence} was not forwarded byte for byte`);
          }
          client.next += 1;
          if (client.next === awaited && ++complete === count) allReceived.resolve();
        },
        onOther: (text) => onText(client, text),
      }),
      onChunkEnd: () => undefined,
      onFailure: (error) => failure.reject(new Error(`client ${index}: ${error.message}`)),
    });
  }

  async function within<T>(work: Promise<T>, what: string): Promise<T> {
    const late = setTimeout(() => failure.reject(new Error(what)), LOST_AFTER_MS);
    return await Promise.race([work, failure.promise]).finally(() => clearTimeout(late));
  }

  const connected = Promise.all(Array.from({ length: count }, (_, index) => connect(index)));
  await within(Promise.all([connected, allLive.promise]), `not all live after ${LOST_AFTER_MS} ms`);

  const close = (): void => {
    for (const connection of connections) connection.end();
  };
  return {
    result: { liveAfterMs, replayed },
    async finish(next) {
      awaited = next;
      complete = clients.filter((client) => client.next === next).length;
      if (complete === count) allReceived.resolve();
      await within(allReceived.promise, `a client did not receive everything below message ${next}`);
      const wrong = clients.findIndex((client) => client.next !== next);
      if (wrong >= 0) throw new Error(`client ${wrong} is at message ${clients[wrong]?.next}, not ${next}`);
      close();
    },
    close,
  };
}
