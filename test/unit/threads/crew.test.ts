import { describe, expect, test } from "bun:test";
import type { Runtime, ThreadEvents } from "../../../src/runtime.ts";
import { createCrew, ThreadError } from "../../../src/threads/core/crew.ts";
import type { Seat } from "../../../src/threads/core/seat.ts";
import { pack, unpack } from "../../../src/threads/wire/batch.ts";
import type { ToCore } from "../../../src/threads/wire/to-core.ts";
import type { EdgeStart, ToEdge } from "../../../src/threads/wire/to-edge.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";

// The edge threads: started, watched, and started anew when they end or hang.

interface FakeThread {
  readonly start: EdgeStart;
  readonly heard: string[];
  isTerminated: boolean;
  say(op: ToCore): void;
  end(why: string): void;
}

function crewOf(count: number) {
  const fake = createFakeRuntime();
  const threads: FakeThread[] = [];
  const logged: string[] = [];
  const taken: string[] = [];
  const gone: number[] = [];
  const runtime: Runtime = {
    ...fake,
    startThread(events: ThreadEvents) {
      const heard: string[] = [];
      const thread: FakeThread = {
        start: {} as EdgeStart,
        heard,
        isTerminated: false,
        say: (op) => events.message(pack([op], [])),
        end: events.ended,
      };
      threads.push(thread);
      return {
        post(message) {
          if (typeof message === "string") {
            for (const { op } of unpack<ToEdge>(message).ops) heard.push(op);
          } else {
            Object.assign(thread, { start: message });
          }
        },
        terminate() {
          thread.isTerminated = true;
        },
      };
    },
  };
  const seats = new Set<Seat>();
  const crew = createCrew({
    runtime,
    log: {
      error: (_event, _scope, msg, fields) =>
        void logged.push(`${msg}: ${fields?.["why"] ?? fields?.["op"]}`),
    },
    count,
    startOf: ({ thread }) => ({ thread }) as EdgeStart,
    seats,
    take(seat, op) {
      if (op.op === "free") throw new Error("broken");
      taken.push(`${seat.thread} ${op.op}`);
    },
    gone: (seat) => void gone.push(seat.thread),
  });
  const listening = async (): Promise<void> => {
    const started = crew.start();
    for (const thread of threads) thread.say({ op: "listening" });
    await started;
  };
  const alive = (): void => {
    for (const { isTerminated, say } of threads) if (!isTerminated) say({ op: "log", line: "alive" });
  };
  return { runtime: fake, crew, threads, seats, logged, taken, gone, listening, alive };
}

describe("the start", () => {
  test("is over when all listen; each knows which it is", async () => {
    const { crew, threads, seats, taken } = crewOf(3);
    let isOver = false;
    const started = crew.start().then(() => {
      isOver = true;
    });
    expect(threads.map(({ start }) => start.thread)).toEqual([0, 1, 2]);
    threads[0]?.say({ op: "listening" });
    threads[1]?.say({ op: "listening" });
    await Bun.sleep(0);
    expect(isOver).toBe(false);
    threads[2]?.say({ op: "listening" });
    await started;
    threads[1]?.say({ op: "acknowledge", ids: [] });
    expect([seats.size, taken]).toEqual([3, ["1 acknowledge"]]);
  });

  test.each([
    [
      "cannot listen",
      (thread?: FakeThread) => thread?.say({ op: "failed", why: "in use", isListenError: true }),
      true,
    ],
    ["ends", (thread?: FakeThread) => thread?.end("exit code 1"), false],
  ])("fails, and ends all, where one %s", async (_, fail, isListenError) => {
    const { crew, threads, runtime } = crewOf(2);
    const started = crew.start();
    threads[0]?.say({ op: "listening" });
    fail(threads[1]);
    const error = await started.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ThreadError);
    expect((error as ThreadError).isListenError).toBe(isListenError);
    runtime.advance(60_000);
    expect(threads.map(({ isTerminated }) => isTerminated)).toEqual([true, true]);
  });
});

describe("a thread that ends", () => {
  test("is started anew after a while, is counted, and nothing it says is heard any more", async () => {
    const { crew, threads, seats, gone, taken, logged, runtime, listening } = crewOf(2);
    await listening();
    threads[0]?.end("TypeError: x");
    expect([seats.size, gone, crew.restarts()]).toEqual([1, [0], 0]);
    expect(logged).toEqual(["Thread ended: its connections are lost: TypeError: x"]);
    threads[0]?.say({ op: "acknowledge", ids: [] });
    runtime.advance(250);
    expect([seats.size, crew.restarts(), threads.length]).toEqual([2, 1, 3]);
    expect(threads[2]?.start.thread).toBe(0);
    threads[2]?.say({ op: "acknowledge", ids: [] });
    expect(taken).toEqual(["0 acknowledge"]);
  });

  test("again and again is started less and less often", async () => {
    const { crew, threads, runtime, listening, alive } = crewOf(1);
    await listening();
    for (let second = 0; second < 120; second += 1) {
      threads.at(-1)?.end("again");
      runtime.advance(1_000);
      alive();
    }
    expect(crew.restarts()).toBeWithin(10, 60);
  });

  test("because what it says is broken takes nobody along", async () => {
    const { threads, seats, logged, listening } = crewOf(2);
    await listening();
    threads[1]?.say({ op: "free", address: "192.0.2.1" });
    expect([seats.size, threads.map(({ isTerminated }) => isTerminated)]).toEqual([1, [false, true]]);
    expect(logged[0]).toBe("Unexpected error: free");
  });
});

describe("a thread that hangs", () => {
  test("is ended and started anew", async () => {
    const { crew, threads, runtime, listening } = crewOf(2);
    await listening();
    for (let second = 0; second < 10; second += 1) {
      runtime.advance(1_000);
      threads[0]?.say({ op: "log", line: "alive" });
    }
    expect(threads[1]?.isTerminated).toBe(false);
    runtime.advance(1_000);
    expect(threads.map(({ isTerminated }) => isTerminated).slice(0, 2)).toEqual([false, true]);
    runtime.advance(250);
    expect(crew.restarts()).toBe(1);
  });

  test("is not one of a process that was stopped for a while", async () => {
    const { threads, runtime, listening, alive } = crewOf(2);
    await listening();
    runtime.advance(5_000);
    runtime.stall(3_600_000);
    alive();
    runtime.advance(1_000);
    expect(threads.map(({ isTerminated }) => isTerminated)).toEqual([false, false]);
  });

  test("or has too much unsent is given up", async () => {
    const { threads, seats, runtime, listening } = crewOf(1);
    await listening();
    for (const seat of seats) seat.unsentBytes = 1_000_000_000;
    runtime.advance(1_000);
    expect(threads[0]?.isTerminated).toBe(true);
  });
});

describe("an order", () => {
  test("is followed when all have said so, or have ended", async () => {
    const { crew, threads, runtime, listening } = crewOf(3);
    await listening();
    crew.unlisten();
    let isOver = false;
    const drained = crew.drain(0, 10_000).then(() => {
      isOver = true;
    });
    runtime.advance(0);
    for (const { heard } of threads) expect(heard).toEqual(["unlisten", "drain"]);
    threads[0]?.say({ op: "drained" });
    threads[1]?.say({ op: "drained" });
    await Bun.sleep(0);
    expect(isOver).toBe(false);
    threads[2]?.end("crash");
    await drained;
    runtime.advance(60_000);
    expect(threads).toHaveLength(3);
  });

  test("is not waited for beyond its limit", async () => {
    const { crew, runtime, listening, alive } = crewOf(2);
    await listening();
    crew.unlisten();
    const stopped = crew.stop(5_000);
    for (let second = 0; second < 5; second += 1) {
      alive();
      runtime.advance(1_000);
    }
    await stopped;
  });

  test("sends clients away in turns: each edge with clients starts at another part of the time between two", async () => {
    const { crew, threads, seats, runtime, listening } = crewOf(3);
    await listening();
    const [one, two, three] = [...seats] as [Seat, Seat, Seat];
    const idle = { counts: [], clientStream: 0, worker: 0, sse: 0, lagSeconds: 0 };
    one.report = { ...idle, client: 5 };
    two.report = { ...idle, client: 0 };
    three.report = { ...idle, client: 3, sse: 2 };
    const phases: unknown[] = [];
    for (const seat of seats) seat.outbox.say = (op) => void phases.push(op);
    const drained = crew.drain(1_000, 5_000);
    for (const thread of threads) thread.say({ op: "drained" });
    await drained;
    runtime.advance(0);
    expect(phases).toEqual(
      [0, 0, 0.5].map((phase) => ({ op: "drain", spreadMs: 1_000, share: { connections: 10, phase } })),
    );
  });
});
