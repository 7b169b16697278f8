import type { Connection } from "./connection.ts";
import { MESSAGE_BYTES, messageBytes } from "./messages.ts";
import { connectReceiver, type Wire } from "./receiver.ts";

/** Handshakes at a time: below the usual backlog of a listening socket, so that none waits for a SYN retry. */
const CONNECTING_AT_ONCE = 128;

export interface SubscribersOptions {
  url: string;
  wire: Wire;
  count: number;
  /** The most messages that are ever under way at once. */
  maxInFlight: number;
  /** `messages` more were received by every subscriber; called at most once for each chunk read. */
  onDelivered: (messages: number) => void;
  /** A subscriber lost its connection, or received something other than the next message. */
  onFailure: (error: Error) => void;
}

/** What has arrived since the start, at all subscribers together. */
export interface Counters {
  deliveries: number;
  /** Reads from sockets. */
  chunks: number;
}

/** The receiving side: every subscriber checks that it gets every message once and in order. */
export interface Subscribers {
  readonly counters: Readonly<Counters>;
  /** Throws unless every subscriber has received exactly `messages` since it connected. */
  assertReceived(messages: number): void;
  close(): void;
}

/** Opens `count` client connections and resolves once the server has accepted all of them. */
export async function connectSubscribers(options: SubscribersOptions): Promise<Subscribers> {
  const { count } = options;
  const counters: Counters = { deliveries: 0, chunks: 0 };
  const received = new Float64Array(count);
  const connections: Connection[] = [];
  // How many subscribers have received a message under way, by its number modulo the ring's length.
  const arrivals = new Uint32Array(options.maxInFlight + 1);
  let completed = 0;

  function onMessage(
    subscriber: number,
    sequence: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const expected = received[subscriber] as number;
    if (sequence !== expected) {
      throw new Error(`received message ${sequence} instead of ${expected}`);
    }
    // Comparing every byte of every delivery would cost more than receiving it: the first subscriber does it for all.
    if (subscriber === 0 && messageBytes(sequence).compare(bytes, start, end) !== 0) {
      throw new Error(`message ${sequence} was not forwarded byte for byte`);
    }
    received[subscriber] = sequence + 1;
    counters.deliveries += 1;
    const slot = sequence % arrivals.length;
    const arrived = (arrivals[slot] as number) + 1;
    if (arrived === count) {
      arrivals[slot] = 0;
      completed += 1;
    } else {
      arrivals[slot] = arrived;
    }
  }

  function onChunkEnd(): void {
    counters.chunks += 1;
    if (completed === 0) return;
    const messages = completed;
    completed = 0;
    options.onDelivered(messages);
  }

  async function connect(subscriber: number): Promise<void> {
    connections[subscriber] = await connectReceiver(options.wire, {
      url: options.url,
      onMessage: (sequence, bytes, start, end) => onMessage(subscriber, sequence, bytes, start, end),
      onChunkEnd,
      onFailure: (error) => options.onFailure(new Error(`subscriber ${subscriber}: ${error.message}`)),
    });
  }

  let next = 0;
  async function connectInTurn(): Promise<void> {
    while (next < count) {
      next += 1;
      await connect(next - 1);
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONNECTING_AT_ONCE, count) }, connectInTurn));

  return {
    counters,
    assertReceived(messages) {
      const wrong = received.findIndex((each) => each !== messages);
      if (wrong < 0) return;
      const bytes = `${(received[wrong] as number) * MESSAGE_BYTES} bytes of ${messages * MESSAGE_BYTES}`;
      throw new Error(`subscriber ${wrong} received ${received[wrong]} messages of ${messages} (${bytes})`);
    },
    close() {
      for (const connection of connections) connection.end();
    },
  };
}
