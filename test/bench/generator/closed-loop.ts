import { machineCpuSeconds, startCpuMeter } from "../machine.ts";
import { connectPublisher } from "./publisher.ts";
import type { Wire } from "./receiver.ts";
import { type Counters, connectSubscribers } from "./subscribers.ts";

export interface SessionOptions {
  /** The server's root. */
  url: string;
  serverPid: number;
  workerSecret: string;
  wire: Wire;
  subscribers: number;
  maxInFlight: number;
}

/** What one round measured. Times are seconds; the CPU times are those used while the round ran. */
export interface Round {
  deliveries: number;
  /** Reads that brought deliveries: deliveries ÷ chunks is how many the server put into one write. */
  chunks: number;
  seconds: number;
  serverCpuSeconds: number;
  generatorCpuSeconds: number;
  machineCpuSeconds: number;
}

export interface Session {
  connectSeconds: number;
  /**
   * Keeps `inFlight` messages under way for `durationMs` after a short lead-in, waits until the last subscriber has the last of them, and
   * proves that every subscriber received each exactly once. Rejects where that is not so.
   */
  run(inFlight: number, durationMs: number): Promise<Round>;
  close(): void;
}

/** Load before a round is measured: caches are cold after the other server's turn. */
const LEAD_IN_MS = 100;

/**
 * Rest before a round. Linux acknowledges at once on a connection that was idle for its retransmission time-out (at
 * least 200 ms), and later on one that was not, which moves a third of the cost from the server's core to the
 * generator's. With this rest each round begins, and stays, in the same state, whatever ran before it.
 */
const REST_MS = 300;

/** How long a round may take beyond its duration before the missing messages are called lost. */
const LOST_AFTER_MS = 60_000;

/** A closed loop: a message is replaced by the next one when the last subscriber has received it. */
export async function openClosedLoop(options: SessionOptions): Promise<Session> {
  const { url, wire, subscribers: count, maxInFlight } = options;
  const failure = Promise.withResolvers<never>();
  // Whoever waits next learns of it; that nobody waits at this moment is no unhandled rejection.
  failure.promise.catch(() => undefined);
  let onDelivered = (_messages: number): void => undefined;

  const startedMs = performance.now();
  const subscribers = await connectSubscribers({
    url,
    wire,
    count,
    maxInFlight,
    onDelivered: (messages) => onDelivered(messages),
    onFailure: failure.reject,
  });
  const connectSeconds = (performance.now() - startedMs) / 1000;
  const { workerSecret } = options;
  const onFailure = failure.reject;
  const publisher = await connectPublisher({ url, workerSecret, wire, maxInFlight, onFailure });

  /** Keeps messages under way; measures from the end of the lead-in; resolves when nothing is under way any more. */
  function publish(inFlight: number, durationMs: number): Promise<Round> {
    const finished = Promise.withResolvers<Round>();
    const leadInEndMs = performance.now() + LEAD_IN_MS;
    let underWay = inFlight;
    let meter: Meter | undefined;
    let result: Round | undefined;
    onDelivered = (messages) => {
      underWay -= messages;
      const nowMs = performance.now();
      if (meter === undefined) {
        if (nowMs >= leadInEndMs) meter = startMeter(options.serverPid, subscribers.counters);
      } else if (result === undefined && nowMs >= meter.startMs + durationMs) {
        result = meter.read(nowMs);
      }
      if (result === undefined) {
        underWay += messages;
        publisher.send(messages);
      } else if (underWay === 0) {
        finished.resolve(result);
      }
    };
    publisher.send(inFlight);
    return finished.promise;
  }

  /**
   * One more message, behind everything that the server has sent: a duplicate or a late message would come before it,
   * and so cannot hide.
   */
  function fence(): Promise<void> {
    const passed = Promise.withResolvers<void>();
    onDelivered = () => passed.resolve();
    publisher.send(1);
    return passed.promise;
  }

  let restedMs = performance.now() + REST_MS;

  async function round(inFlight: number, durationMs: number): Promise<Round> {
    await Bun.sleep(Math.max(0, restedMs - performance.now()));
    const result = await publish(inFlight, durationMs);
    await fence();
    subscribers.assertReceived(publisher.sent);
    restedMs = performance.now() + REST_MS;
    return result;
  }

  return {
    connectSeconds,
    async run(inFlight, durationMs) {
      const lost = setTimeout(
        () => {
          try {
            subscribers.assertReceived(publisher.sent);
            failure.reject(new Error("a subscriber's connection no longer answers"));
          } catch (error) {
            failure.reject(error);
          }
        },
        REST_MS + LEAD_IN_MS + durationMs + LOST_AFTER_MS,
      );
      try {
        return await Promise.race([round(inFlight, durationMs), failure.promise]);
      } finally {
        clearTimeout(lost);
      }
    },
    close() {
      publisher.close();
      subscribers.close();
    },
  };
}

interface Meter {
  startMs: number;
  /** What happened since the start; `nowMs` is when the caller began to ask. */
  read(nowMs: number): Round;
}

function startMeter(serverPid: number, counters: Counters): Meter {
  const { deliveries, chunks } = counters;
  const serverCpuSeconds = startCpuMeter(serverPid);
  const generatorCpuSeconds = startCpuMeter(process.pid);
  const machineBefore = machineCpuSeconds();
  const startMs = performance.now();
  return {
    startMs,
    read: (nowMs) => ({
      deliveries: counters.deliveries - deliveries,
      chunks: counters.chunks - chunks,
      seconds: (nowMs - startMs) / 1000,
      serverCpuSeconds: serverCpuSeconds(),
      generatorCpuSeconds: generatorCpuSeconds(),
      machineCpuSeconds: machineCpuSeconds() - machineBefore,
    }),
  };
}
