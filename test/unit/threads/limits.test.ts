import { describe, expect, test } from "bun:test";
import { createRegistry } from "../../../src/observe/prometheus.ts";
import { createEntrance } from "../../../src/threads/core/entrance.ts";
import { createSeat } from "../../../src/threads/core/seat.ts";
import { createRemoteLimits } from "../../../src/threads/edge/limits.ts";
import { createLogLines } from "../../../src/threads/edge/log-line.ts";
import { createTally } from "../../../src/threads/wire/tally.ts";
import type { ToCore } from "../../../src/threads/wire/to-core.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";
import { configOf } from "../../support/load-config.ts";

// Limits and metrics count the whole process, however many threads it has.

/** Edges whose calls are answered at once: here both sides are in one thread. */
function edgesWith(env: Record<string, string>, count: number) {
  const config = configOf({ env });
  const runtime = createFakeRuntime();
  const entrance = createEntrance(config, runtime, count);
  const edges = Array.from({ length: count }, (_, thread) => {
    const seat = createSeat(
      thread,
      () => undefined,
      () => undefined,
    );
    const hotline = {
      call(what: "take" | "failure", address: string) {
        entrance.answer(seat, { op: "call", call: 1, what, address });
        const cells = new Int32Array(seat.hotline);
        return [cells[1] ?? 0, cells[2] ?? 0] as const;
      },
    };
    const outbox = {
      say(op: ToCore) {
        if (op.op === "free") entrance.free(seat, op.address);
      },
    };
    return { seat, limits: createRemoteLimits(config, createTally(entrance.tally, thread), hotline, outbox) };
  });
  return { runtime, entrance, edges, limits: edges.map(({ limits }) => limits) };
}

const leave = (place: ReturnType<ReturnType<typeof createRemoteLimits>["take"]> | undefined): void => {
  if (place?.ok !== true) throw new Error("no place");
  place.leave();
};

describe("places", () => {
  test("are those of all threads, and free again after whoever leaves, once", () => {
    const { limits } = edgesWith({ MAX_CONNECTIONS: "3" }, 2);
    const [one, two] = limits;
    const first = one?.take("192.0.2.1");
    expect([two?.take("192.0.2.2").ok, two?.take("192.0.2.3").ok]).toEqual([true, true]);
    for (const each of limits) expect(each.take("192.0.2.4")).toEqual({ ok: false, reason: "capacity" });
    leave(first);
    leave(first);
    expect([two?.take("192.0.2.4").ok, one?.take("192.0.2.5").ok]).toEqual([true, false]);
  });

  test("of an address are those of all threads", () => {
    const { limits } = edgesWith({ MAX_CONNECTIONS: "10", MAX_CONNECTIONS_PER_ADDRESS: "2" }, 2);
    const [one, two] = limits;
    const first = one?.take("192.0.2.1");
    expect(two?.take("192.0.2.1").ok).toBe(true);
    for (let again = 0; again < 20; again += 1) {
      expect(two?.take("192.0.2.1")).toEqual({ ok: false, reason: "address_capacity" });
    }
    // Whoever found none has taken none of the others, either.
    expect(one?.take("192.0.2.2").ok).toBe(true);
    leave(first);
    expect(two?.take("192.0.2.1").ok).toBe(true);
  });

  test("of a thread that has gone are free", () => {
    const { entrance, edges, limits } = edgesWith(
      { MAX_CONNECTIONS: "4", MAX_CONNECTIONS_PER_ADDRESS: "2" },
      2,
    );
    const [one, two] = limits;
    for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) expect(one?.take(address).ok).toBe(true);
    expect(two?.take("192.0.2.9").ok).toBe(true);
    entrance.freeAll(edges[0]?.seat as (typeof edges)[number]["seat"]);
    for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) expect(two?.take(address).ok).toBe(true);
    expect(two?.take("192.0.2.3").ok).toBe(false);
  });
});

test("wrong secrets are counted together, and the first over the limit is told once", () => {
  const { limits } = edgesWith({ WRONG_SECRETS_PER_MINUTE: "3" }, 3);
  const failures = Array.from({ length: 6 }, (_, at) => limits[at % 3]?.failure("192.0.2.1"));
  expect(failures.map((failure) => failure?.crossed)).toEqual([false, false, false, true, false, false]);
  expect(failures.map((failure) => (failure?.retryAfterS ?? 0) > 0)).toEqual([
    ...[false, false, false],
    ...[true, true, true],
  ]);
});

test("what is counted in a thread is taken from there once, and added to the whole", () => {
  const make = () => {
    const registry = createRegistry();
    return {
      registry,
      counter: registry.counter("c", "help.", "of", ["a", "b"]),
      histogram: registry.histogram("h", "help.", [1, 10]),
    };
  };
  const [whole, ...threads] = [make(), make(), make()];
  for (const { counter, histogram } of threads) {
    counter.add("b", 2);
    histogram.observe(5);
    histogram.observe(50);
  }
  whole?.counter.add("a");
  for (let again = 0; again < 3; again += 1) {
    for (const { registry } of threads) whole?.registry.add(registry.take());
  }
  expect(whole?.registry.render()).toContain('c{of="a"} 1\nc{of="b"} 4\n');
  expect(whole?.registry.render()).toContain(
    'h_bucket{le="1"} 0\nh_bucket{le="10"} 2\nh_bucket{le="+Inf"} 4\nh_sum 110\nh_count 4\n',
  );
});

test("log lines that nobody writes are dropped and counted", () => {
  const said: string[] = [];
  const lines = createLogLines({ say: (op) => void said.push(op.op === "log" ? op.line : "") });
  for (let count = 0; count < 2_000; count += 1) lines.write("x".repeat(1_024));
  expect(said.length).toBeWithin(1_000, 1_100);
  const kept = said.length;
  lines.taken(1_048_576);
  expect(said.at(-1)).toBe(`... ${2_000 - kept} log lines dropped: they came faster than they are written`);
  lines.write("y");
  expect(said.at(-1)).toBe("y");
});
