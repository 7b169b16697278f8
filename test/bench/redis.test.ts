import { expect, test } from "bun:test";
import { connectRelay, type RelayRound } from "./generator/relay.ts";
import { createHistogram, record } from "./histogram.ts";
import { findRedis, othersShare, type RedisResult, redisCapacity, timesRate } from "./redis-report.ts";
import { createSecret, startServer } from "./servers.ts";
import { hubTarget } from "./targets.ts";

const round = (messages: number, redisCpuSeconds = 0.5): RelayRound => ({
  ...{ messages, seconds: 2, redisCpuSeconds, hubsCpuSeconds: 1.5 },
  ...{ generatorCpuSeconds: 0.5, machineCpuSeconds: 3 },
});

const latency = (ms: number) => {
  const latencies = createHistogram();
  record(latencies, ms);
  return { latencies };
};

test("rates are compared turn by turn, and a core of Redis carries what its CPU time says", () => {
  expect(timesRate([round(100), round(1_000)], [round(50), round(500)])).toBe(0.5);
  expect(redisCapacity([round(100_000), round(50_000), round(200_000)])).toBeCloseTo(200_000);
  expect(othersShare(round(1))).toBe(0.25);
  expect(othersShare({ ...round(1), machineCpuSeconds: 1 })).toBe(0);
});

test("hubs on a Redis stand beside one without", () => {
  const results: RedisResult[] = [
    { name: "no Redis", hubs: 1, hasRedis: false, relay: [round(400_000, 0)], latency: [latency(0.2)] },
    { name: "2 hubs", hubs: 2, hasRedis: true, relay: [round(100_000)], latency: [latency(0.5)] },
  ];
  const findings = findRedis(results, { inFlight: 500, perSecond: 100 });
  expect(findings.map(({ what, measured }) => `${what}: ${measured}`)).toEqual([
    "through Redis, 2 hubs, 500 in flight: 50,000 messages/s end to end, 0.25 of one hub's without Redis",
    "what one core of Redis carries, 2 hubs: 200,000 messages/s (5.0 µs each)",
    "latency that Redis adds, 2 hubs, at 100 messages/s: +0.30 ms at the median, +0.30 ms at p99",
  ]);
});

test("a relay counts what has come to every hub, from several publishers", async () => {
  const workerSecret = createSecret();
  const server = await startServer(hubTarget("hub", { WORKER_POLICY: "shared" }), workerSecret);
  try {
    // Twice the same hub: both publishers' messages come to both subscribers.
    const relay = await connectRelay({
      urls: [server.url, server.url],
      hubPids: [server.pid],
      redisPid: undefined,
      ...{ workerSecret, maxInFlight: 20 },
    });
    for (let turn = 0; turn < 2; turn += 1) {
      const { messages, seconds, hubsCpuSeconds } = await relay.run({ inFlight: 20, durationMs: 50 });
      expect(messages).toBeGreaterThan(20);
      expect(seconds).toBeGreaterThanOrEqual(0.05);
      expect(hubsCpuSeconds).toBeGreaterThan(0);
    }
    relay.close();
  } finally {
    await server.stop();
  }
});
