import { expect, test } from "bun:test";
import { connectTcp } from "../support/tcp.ts";
import { newSockets, socketsByLoop } from "./event-loops.ts";
import { createHistogram, record } from "./histogram.ts";
import { addedMs, bytesPerThread, findThreads, timesCpu, unbalance } from "./threads-report.ts";

test("a thread's connections are what its event loop has come to watch", async () => {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const before = socketsByLoop(process.pid);
  const connections = await Promise.all(
    Array.from({ length: 7 }, () => connectTcp(`http://127.0.0.1:${listener.port}`)),
  );
  // Both ends of each are in this process.
  expect(newSockets(before, socketsByLoop(process.pid), 2)).toEqual([14, 0]);
  for (const connection of connections) connection.reset();
});

test("of more loops than threads those count that got most", () => {
  const before = new Map([
    [1, 5],
    [2, 1],
  ]);
  const after = new Map([
    [1, 4],
    [2, 11],
    [3, 30],
  ]);
  expect(newSockets(before, after, 2)).toEqual([30, 10]);
  expect(newSockets(before, after, 4)).toEqual([30, 10, 0, 0]);
});

test("balance is the largest distance from an even share", () => {
  expect(unbalance([250, 250, 250, 250])).toBe(0);
  expect(unbalance([300, 250, 250, 200])).toBeCloseTo(0.2);
  expect(unbalance([100, 0])).toBe(1);
});

const latency = (...values: number[]) => {
  const latencies = createHistogram();
  for (const value of values) record(latencies, value);
  return { latencies };
};

test("what a hop adds is the median of the differences by turns", () => {
  const one = [latency(1), latency(10), latency(2)];
  const two = [latency(2), latency(11), latency(9)];
  // Rounded up by at most a hundredth each.
  expect(addedMs(one, two, 0.5)).toBeCloseTo(1, 1);
});

test("memory is that between several threads and more of them", () => {
  const idle = (threads: number, ...idleBytes: number[]) => ({ threads, idleBytes });
  expect(bytesPerThread([idle(1, 50), idle(2, 60, 70), idle(4, 66, 78)])).toBe(3.5);
  expect(bytesPerThread([idle(1, 50), idle(2, 60)])).toBeNaN();
});

test("CPU per delivery is compared turn by turn", () => {
  const cpu = (serverCpuMicroseconds: number) => ({ serverCpuMicroseconds });
  expect(timesCpu([cpu(1), cpu(2), cpu(4)], [cpu(1.1), cpu(2.2), cpu(8)])).toBeCloseTo(1.1);
});

test("each promise is held against what was measured", () => {
  const pace = {
    ...{ perSecond: 100, lateness: createHistogram(), sent: 1 },
    ...{ serverShare: 0, crowdShare: 0, othersShare: 0 },
  };
  const results = [1, 2, 4].map((threads) => ({
    threads,
    connections: [threads === 4 ? [400, 200, 200, 200] : Array.from({ length: threads }, () => 500)],
    latency: [{ ...pace, ...latency(threads), serverCpuMicroseconds: 9 }],
    paced: [{ ...pace, perSecond: 800, serverCpuMicroseconds: threads === 4 ? 0.6 : 0.5 + threads * 0.04 }],
    idleBytes: [50e6 + threads * 3.5e6],
  }));
  const findings = findThreads(results, 1_000);
  const found = (what: string): { measured: string; met: boolean } | undefined =>
    findings.find((finding) => finding.what.startsWith(what));
  expect(found("CPU per delivery, 2 threads, 1,000 subscribers, 800 messages/s")).toMatchObject({
    ...{ met: true, measured: "1.07 of one thread's" },
  });
  expect(found("CPU per delivery, 4 threads")).toMatchObject({ met: false });
  expect(found("balance, 2 threads")).toMatchObject({
    met: true,
    measured: "at most 0 % from an even share",
  });
  expect(found("balance, 4 threads")).toMatchObject({ met: false });
  expect(found("latency that 2 threads")?.measured).toMatch(/^\+1\.0\d\d ms at the median/);
  expect(found("memory")?.measured).toBe("3.5 MB");
});
