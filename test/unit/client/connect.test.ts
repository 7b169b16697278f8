import { describe, expect, test } from "bun:test";
import { type ConnectOptions, connect } from "../../../src/client/index.ts";
import { createNet, createWorld, hello, OFFLINE } from "./world.ts";

const setUp = (options: ConnectOptions = {}) => {
  const world = createWorld();
  const net = createNet();
  const told: unknown[] = [];
  const connection = connect("http://hub", {
    runtime: { ...world, random: () => 0.5 },
    WebSocket: net.WebSocket,
    transport: "websocket",
    onMessage: ({ id, text }) => told.push([id, text]),
    onReset: ({ reason, id }) => told.push([reason, id]),
    onStatus: ({ status }) => told.push(status),
    ...options,
  });
  world.advance(1);
  const greet = (...args: Parameters<typeof hello>): void => {
    net.last().open();
    net.last().say(hello(...args));
  };
  return { world, net, told, connection, greet };
};
const message = (n: number): object => ({ type: "message", id: `a-${n}`, data: { n } });

describe("a connection", () => {
  test("delivers, resumes behind the last cursor, and says when it could not", () => {
    const { world, net, told, connection, greet } = setUp({ types: ["A", "B"] });
    expect(net.last().url).toBe("ws://hub/api/v1/ws?types=A%2CB");
    greet("a-0", "none");
    net.last().say(message(1));
    net.last().say({ type: "position", id: "a-7" });
    net.last().close(1006);
    expect(connection.state).toBe("waiting");
    world.advance(500);
    expect(net.last().url).toContain("since=a-7");
    greet("a-7", true);
    net.last().say(message(8));
    net.last().close(1012);
    world.advance(1_000);
    expect(net.last().url).toContain("since=a-8");
    greet("b-3", "unknown");
    expect(told).toEqual([
      "offline",
      ["start", "a-0"],
      ["a-1", '{"n":1}'],
      ["a-8", '{"n":8}'],
      ["unknown", "b-3"],
    ]);
    expect(connection.info()).toMatchObject({ resumed: 1, resets: 1 });
    expect(connection.lastId).toBe("b-3");
  });

  test("says once for each connection that the stream has caught up, behind what it missed", () => {
    const live: string[] = [];
    const { world, net, connection, greet } = setUp({ onLive: () => live.push(connection.lastId ?? "") });
    for (const round of [1, 2]) {
      greet(`a-${round}`, round === 1 ? "none" : true);
      net.last().say(message(round + 1));
      expect(live).toHaveLength(round - 1);
      net.last().say({ type: "live", id: `a-${round + 1}`, worker: OFFLINE });
      net.last().say(message(round + 1));
      net.last().close(1012);
      world.advance(1_000);
    }
    expect(live).toEqual(["a-2", "a-3"]);
  });

  test("backs off twice as long each time, and begins anew only after a stable minute", () => {
    const { world, net, connection, greet } = setUp();
    const delayMs = (): number => (connection.info().nextTryAtMs ?? 0) - world.nowMs();
    const delays: number[] = [];
    for (let tries = 0; tries < 7; tries += 1) {
      net.last().open();
      net.last().close(1006);
      delays.push(delayMs());
      world.advance(delayMs());
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    greet("a-0", "none");
    net.last().close(1006);
    expect(delayMs()).toBe(15_000);
    world.advance(delayMs());
    greet("a-0", true);
    for (let elapsed = 0; elapsed < 60_000; elapsed += 10_000) {
      world.advance(10_000);
      net.last().say({ type: "position", id: "a-1" });
    }
    net.last().close(1006);
    expect(delayMs()).toBe(500);
  });

  test("obeys a goodbye, also when the page wakes", () => {
    const { world, net, greet } = setUp();
    greet("a-0", "none");
    net.last().say({ type: "goodbye", reason: "shutdown", reconnect_after_ms: 7_000 });
    net.last().close(1012);
    world.wake();
    world.advance(6_999);
    expect(net.sockets).toHaveLength(1);
    world.advance(1);
    expect(net.sockets).toHaveLength(2);
  });

  test.each([
    [1008, "refused"],
    [4001, "replaced"],
    [1002, "protocol"],
    [1009, "protocol"],
  ])("close code %i ends it for good: %s", async (code, kind) => {
    const { world, net, connection, greet } = setUp();
    greet("a-0", "none");
    net.last().close(code, "why");
    expect(await connection.closed).toMatchObject({ name: "HubError", code: kind, status: code });
    world.advance(600_000);
    world.wake();
    expect(net.sockets).toHaveLength(1);
    expect(world.timerCount()).toBe(0);
  });

  test.each([1001, 1006, 1011, 1012, 1013, 1000, 4999])("close code %i does not", (code) => {
    const { world, net } = setUp();
    net.last().open();
    net.last().close(code);
    world.advance(30_000);
    expect(net.sockets.length).toBeGreaterThan(1);
  });

  test("probes a silent hub, and gives it up when it does not answer", () => {
    const { world, net, connection, greet } = setUp();
    greet("a-0", "none");
    world.advance(24_999);
    expect(net.last().sent).toEqual([]);
    world.advance(1);
    expect(net.last().sent).toEqual(["ping"]);
    net.last().say("pong");
    world.advance(25_000);
    expect(net.last().sent).toEqual(["ping", "ping"]);
    world.advance(5_000);
    expect(net.last().isClosed).toBe(true);
    expect(connection.state).toBe("waiting");
  });

  test("gives up a try that nobody answers", () => {
    const { world, net } = setUp();
    net.last().open();
    world.advance(10_000);
    expect(net.last().isClosed).toBe(true);
  });

  test("that waits tries when the page wakes, but not again and again", () => {
    const { world, net } = setUp({ backoff: { firstMs: 20_000 } });
    net.last().close(1006);
    world.advance(1_000);
    world.wake();
    expect(net.sockets).toHaveLength(2);
    net.last().close(1006);
    for (let count = 0; count < 5; count += 1) world.wake();
    expect(net.sockets).toHaveLength(2);
  });

  test("tells of the worker once per change, and not of what was replayed", () => {
    const { net, told, greet } = setUp();
    const online = { status: "online", metadata: { hostname: "a" } };
    const status = (id: string, worker: object): object => ({
      type: "message",
      id,
      data: { type: "WORKER_STATUS", ...worker },
    });
    greet("a-0", true);
    net.last().say(status("a-1", online));
    net.last().say({ type: "live", id: "a-1", worker: OFFLINE });
    net.last().say(status("a-2", online));
    net.last().say(status("a-3", online));
    expect(told).toEqual(["offline", "online"]);
  });

  test("whose callback throws goes on, and the error is reported", () => {
    const { world, net, connection, greet } = setUp({
      onMessage() {
        throw new Error("mine");
      },
    });
    greet("a-0", "none");
    net.last().say(message(1));
    expect(world.reported).toEqual([new Error("mine")]);
    expect(connection.lastId).toBe("a-1");
  });

  test("ends at a message that does not pass validate, unless it may be passed over", async () => {
    const validate = (value: unknown): never => {
      throw new TypeError(JSON.stringify(value));
    };
    const strict = setUp({ validate });
    strict.greet("a-0", "none");
    strict.net.last().say(message(1));
    expect(await strict.connection.closed).toMatchObject({ code: "invalid_message" });
    const invalid: string[] = [];
    const lenient = setUp({ validate, onInvalid: ({ id }) => void invalid.push(id) });
    lenient.greet("a-0", "none");
    lenient.net.last().say(message(1));
    expect(invalid).toEqual(["a-1"]);
    expect(lenient.connection.state).toBe("open");
  });

  test("takes no options that cannot work", () => {
    expect(() => connect("ftp://hub")).toThrow(TypeError);
    expect(() => connect("http://hub", { types: ["no spaces"] })).toThrow(TypeError);
    expect(() => connect("http://hub", { since: "a b" })).toThrow(TypeError);
    const { connection } = setUp();
    expect(() => connection[Symbol.asyncIterator]()).toThrow(TypeError);
  });

  test("leaves nothing behind when it is closed", async () => {
    const { world, net, connection, greet } = setUp();
    greet("a-0", "none");
    connection.close();
    expect(net.last().isClosed).toBe(true);
    expect(world.timerCount()).toBe(0);
    expect(await connection.closed).toBeUndefined();
  });
});
