import { createHistogram, type Histogram, record } from "../histogram.ts";
import type { Connection } from "./connection.ts";
import { connectPublisher, type Publisher } from "./publisher.ts";
import { connectReceiver, type Wire } from "./receiver.ts";

export interface Pace {
  perSecond: number;
  durationMs: number;
  /** So many are sent at once, as often as the pace allows; 1 without it. Of more, the latencies mean nothing. */
  burst?: number;
}

/** Latencies in milliseconds. */
export interface PaceResult {
  /** Of every message at every witness, from when it should have been sent until it was read. */
  latencies: Histogram;
  /** How late the messages were sent: that part of the latency is the generator's own. */
  lateness: Histogram;
  /** Messages sent since the start. */
  sent: number;
}

/**
 * The publisher of an open loop, and some subscribers that witness when its messages arrive: in one process, so that one
 * clock times both ends, and which does nothing else.
 */
export interface Probe {
  /** Connects one more witness, at another server's root where one is given. All of them, before the first message. */
  addWitness(at?: string): Promise<void>;
  /** Publishes at a fixed pace, whatever comes back, and waits until every witness has everything. */
  run(pace: Pace): Promise<PaceResult>;
  close(): void;
}

export interface ProbeOptions {
  /** The server's root. */
  url: string;
  workerSecret: string;
  wire: Wire;
}

const MAX_AT_ONCE = 1_000;
const LOST_AFTER_MS = 60_000;

export async function connectProbe({ url, workerSecret, wire }: ProbeOptions): Promise<Probe> {
  const failure = Promise.withResolvers<never>();
  // Whoever waits next learns of it; that nobody waits at this moment is no unhandled rejection.
  failure.promise.catch(() => undefined);
  const onFailure = failure.reject;
  const witnesses: { connection: Connection; received: number }[] = [];
  /** The number of the pace's first message, and when it should have been sent. */
  let first = 0;
  let startMs = 0;
  let intervalMs = 0;
  let latencies = createHistogram();
  let onReceived = (): void => undefined;
  let readAtMs = 0;

  const publisher: Publisher = await connectPublisher({
    ...{ url, workerSecret, wire, onFailure },
    maxInFlight: MAX_AT_ONCE,
  });

  async function addWitness(at = url): Promise<void> {
    const index = witnesses.length;
    const witness = { received: 0 };
    const connection = await connectReceiver(wire, {
      url: at,
      onMessage(sequence) {
        if (sequence !== witness.received) {
          throw new Error(`received message ${sequence} instead of ${witness.received}`);
        }
        witness.received += 1;
        // All messages of one read were there at the same time.
        if (readAtMs === 0) readAtMs = performance.now();
        record(latencies, Math.max(0, readAtMs - (startMs + (sequence - first) * intervalMs)));
      },
      onChunkEnd() {
        readAtMs = 0;
        onReceived();
      },
      onFailure: (error) => onFailure(new Error(`witness ${index}: ${error.message}`)),
    });
    witnesses.push(Object.assign(witness, { connection }));
  }

  /** A late timer sends what it owes: the delay counts against the message, not against the pace. */
  async function send(messages: number, size: number): Promise<Histogram> {
    const lateness = createHistogram();
    const sentAll = Promise.withResolvers<void>();
    let sent = 0;
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const bursts = Math.floor((nowMs - startMs) / (intervalMs * size)) + 1;
      const due = Math.min(messages, bursts * size);
      const burst = Math.min(due - sent, MAX_AT_ONCE);
      for (let each = sent; each < sent + burst; each += 1) {
        record(lateness, Math.max(0, nowMs - (startMs + each * intervalMs)));
      }
      publisher.send(Math.max(0, burst));
      sent += Math.max(0, burst);
      if (sent === messages) sentAll.resolve();
    }, 1);
    await Promise.race([sentAll.promise, failure.promise]).finally(() => clearInterval(timer));
    return lateness;
  }

  async function caughtUp(): Promise<void> {
    const all = Promise.withResolvers<void>();
    onReceived = () => {
      if (witnesses.every(({ received }) => received === publisher.sent)) all.resolve();
    };
    onReceived();
    const lost = setTimeout(
      () => onFailure(new Error(`a witness did not receive all ${publisher.sent} messages`)),
      LOST_AFTER_MS,
    );
    await Promise.race([all.promise, failure.promise]).finally(() => {
      clearTimeout(lost);
      onReceived = () => undefined;
    });
  }

  return {
    addWitness,
    async run({ perSecond, durationMs, burst = 1 }) {
      latencies = createHistogram();
      first = publisher.sent;
      intervalMs = 1_000 / perSecond;
      startMs = performance.now();
      const lateness = await send(Math.max(1, Math.round(durationMs / intervalMs)), burst);
      await caughtUp();
      return { latencies, lateness, sent: publisher.sent };
    },
    close() {
      publisher.close();
      for (const { connection } of witnesses) connection.end();
    },
  };
}
