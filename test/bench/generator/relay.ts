import { machineCpuSeconds, startCpuMeter } from "../machine.ts";
import type { Connection } from "./connection.ts";
import { connectPublisher, type Publisher } from "./publisher.ts";
import { connectReceiver } from "./receiver.ts";

export interface RelayOptions {
  /** The hubs' roots: at each there is one publisher, and one subscriber that gets what all of them publish. */
  urls: readonly string[];
  workerSecret: string;
  maxInFlight: number;
  hubPids: readonly number[];
  /** Of the server that the hubs share. */
  redisPid: number | undefined;
}

/** What one round measured; the CPU times are those used while it ran. */
export interface RelayRound {
  /** That were received at every hub. */
  messages: number;
  seconds: number;
  redisCpuSeconds: number;
  hubsCpuSeconds: number;
  generatorCpuSeconds: number;
  machineCpuSeconds: number;
}

/** A closed loop through several hubs: a message is replaced by the next one when it has been received at every hub. */
export interface Relay {
  run(load: { inFlight: number; durationMs: number }): Promise<RelayRound>;
  close(): void;
}

const LEAD_IN_MS = 200;
const LOST_AFTER_MS = 60_000;

/** Where one subscriber stands: how many it has of each publisher, and all of it in the order in which it came. */
interface Place {
  readonly received: number[];
  /** Of the numbers of all messages so far: equal where the same have come in the same order. */
  order: number;
}

export async function connectRelay(options: RelayOptions): Promise<Relay> {
  const { urls, workerSecret, maxInFlight, hubPids, redisPid } = options;
  const failure = Promise.withResolvers<never>();
  // Whoever waits next learns of it; that nobody waits at this moment is no unhandled rejection.
  failure.promise.catch(() => undefined);
  const count = urls.length;
  const places = urls.map((): Place => ({ received: urls.map(() => 0), order: 0 }));
  const receivers: Connection[] = [];
  const publishers: Publisher[] = [];
  let onChunkEnd = (): void => undefined;

  for (const [index, url] of urls.entries()) {
    const place = places[index] as Place;
    const onMessage = (sequence: number): void => {
      const by = sequence % count;
      const expected = (place.received[by] as number) * count + by;
      if (sequence !== expected) throw new Error(`received message ${sequence} instead of ${expected}`);
      place.received[by] = (place.received[by] as number) + 1;
      place.order = (Math.imul(place.order, 31) + sequence) | 0;
    };
    const onFailure = (error: Error): void => failure.reject(new Error(`hub ${index}: ${error.message}`));
    receivers.push(
      await connectReceiver("raw", { url, onMessage, onChunkEnd: () => onChunkEnd(), onFailure }),
    );
  }
  for (const [index, url] of urls.entries()) {
    const numbers = { first: index, step: count };
    const onFailure = failure.reject;
    publishers.push(
      await connectPublisher({ url, workerSecret, wire: "raw", maxInFlight, onFailure, numbers }),
    );
  }

  /** How many of this publisher's messages have come to every hub. */
  const relayed = (by: number): number => Math.min(...places.map(({ received }) => received[by] as number));
  const relayedByAll = (): number => urls.reduce((sum, _, by) => sum + relayed(by), 0);

  async function round(inFlight: number, durationMs: number): Promise<RelayRound> {
    const finished = Promise.withResolvers<RelayRound>();
    const leadInEndMs = performance.now() + LEAD_IN_MS;
    let meter: Meter | undefined;
    let result: RelayRound | undefined;
    onChunkEnd = () => {
      const nowMs = performance.now();
      if (meter === undefined) {
        if (nowMs >= leadInEndMs) meter = startMeter(relayedByAll, hubPids, redisPid);
      } else if (result === undefined && nowMs >= meter.startMs + durationMs) {
        result = meter.read(nowMs);
      }
      for (const [by, publisher] of publishers.entries()) {
        const due = result === undefined ? inFlight - (publisher.sent - relayed(by)) : 0;
        if (due > 0) publisher.send(due);
      }
      if (result !== undefined && publishers.every(({ sent }, by) => sent === relayed(by)))
        finished.resolve(result);
    };
    for (const publisher of publishers) publisher.send(inFlight);
    const measured = await finished.promise;
    if (places.some(({ order }) => order !== places[0]?.order))
      throw new Error("the hubs have shown the same messages in different orders");
    return measured;
  }

  return {
    async run({ inFlight, durationMs }) {
      const lost = setTimeout(
        () => failure.reject(new Error(`not all messages have come: ${JSON.stringify(places)}`)),
        LEAD_IN_MS + durationMs + LOST_AFTER_MS,
      );
      try {
        // Of all that is under way, each publisher keeps an equal part.
        return await Promise.race([
          round(Math.max(1, Math.floor(inFlight / count)), durationMs),
          failure.promise,
        ]);
      } finally {
        clearTimeout(lost);
      }
    },
    close() {
      for (const publisher of publishers) publisher.close();
      for (const receiver of receivers) receiver.end();
    },
  };
}

interface Meter {
  startMs: number;
  /** What happened since the start; `nowMs` is when the caller began to ask. */
  read(nowMs: number): RelayRound;
}

function startMeter(relayed: () => number, hubPids: readonly number[], redisPid: number | undefined): Meter {
  const messages = relayed();
  const hubs = hubPids.map(startCpuMeter);
  const redis = redisPid === undefined ? () => 0 : startCpuMeter(redisPid);
  const generator = startCpuMeter(process.pid);
  const machineBefore = machineCpuSeconds();
  const startMs = performance.now();
  return {
    startMs,
    read: (nowMs) => ({
      messages: relayed() - messages,
      seconds: (nowMs - startMs) / 1_000,
      redisCpuSeconds: redis(),
      hubsCpuSeconds: hubs.reduce((sum, read) => sum + read(), 0),
      generatorCpuSeconds: generator(),
      machineCpuSeconds: machineCpuSeconds() - machineBefore,
    }),
  };
}
