import { expect, test } from "bun:test";
import { type Command, connectWorker, type WorkerOptions } from "../../../src/client/index.ts";
import { createNet, createWorld } from "./world.ts";

const WELCOME = { type: "worker", status: "online", metadata: {} };

const setUp = (options: Partial<WorkerOptions> = {}) => {
  const world = createWorld();
  const net = createNet();
  const worker = connectWorker("ws://hub", {
    ...{ runtime: world, WebSocket: net.WebSocket, secret: "s", metadata: { hostname: "a" } },
    ...options,
  });
  world.advance(1);
  const welcome = (): void => {
    while (worker.state === "waiting") world.advance(100);
    net.last().open();
    net.last().say(WELCOME);
  };
  const lose = (): void => {
    net.last().close(1006);
  };
  const published = (): { ref: string; key?: string; data: unknown }[] =>
    net
      .last()
      .sent.map((text) => JSON.parse(text))
      .filter(({ type }) => type === "publish");
  return { world, net, worker, welcome, lose, published };
};
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "resolved",
    (error) => error.code,
  );
const settled = (): Promise<void> => Promise.resolve().then(() => undefined);

test("registers, and sends what waited in order, ahead of what its callback publishes", () => {
  const { net, worker, welcome } = setUp({
    onState: (state) => {
      if (state === "open") void worker.publish({ n: 2 });
    },
  });
  void worker.publish({ n: 0 });
  void worker.publish('{"n": 1.0}');
  expect(net.last().sent).toEqual([]);
  welcome();
  expect(net.last().options).toMatchObject({ headers: { "x-worker-secret": "s" } });
  const [first = "", ...rest] = net.last().sent;
  expect(JSON.parse(first)).toEqual({ type: "register", metadata: { hostname: "a" } });
  expect(rest.map((text) => text.slice(text.indexOf('"data"')))).toEqual([
    '"data":{"n":0}}',
    '"data":{"n": 1.0}}',
    '"data":{"n":2}}',
  ]);
});

test("sends what was not acknowledged again, under the same keys", async () => {
  const { net, worker, welcome, lose, published } = setUp();
  welcome();
  const promises = [0, 1, 2].map((n) => worker.publish({ n }));
  const before = published();
  net.last().say({ type: "ack", ref: before[0]?.ref, id: "a-1" });
  lose();
  welcome();
  expect(published()).toEqual(before.slice(1));
  expect(new Set(before.map(({ key }) => key)).size).toBe(3);
  for (const [at, { ref }] of before.entries()) net.last().say({ type: "ack", ref, id: `a-${at + 1}` });
  expect(await Promise.all(promises)).toEqual(["a-1", "a-2", "a-3"]);
});

test("rejects with uncertain what may not be sent again: without a key, or when the hub has forgotten the key", async () => {
  const { world, net, worker, welcome, lose, published } = setUp();
  welcome();
  const unkeyed = codeOf(worker.publish({ n: 0 }, { key: false }));
  const old = codeOf(worker.publish({ n: 1 }));
  net.last().close(1006);
  world.advance(590_000);
  welcome();
  expect(published()).toEqual([]);
  expect(await Promise.all([unkeyed, old])).toEqual(["uncertain", "uncertain"]);
  // What has never been sent waits for as long as it takes.
  lose();
  const unsent = worker.publish({ n: 2 }, { key: false });
  welcome();
  net.last().say({ type: "ack", ref: published()[0]?.ref, id: "a-1" });
  expect(await unsent).toBe("a-1");
});

test("says what is wrong with a message", async () => {
  const { net, worker, welcome, published } = setUp({ outboxLimit: { messages: 1 } });
  expect(() => worker.publish("[]")).toThrow(TypeError);
  expect(() => worker.publish({ type: "WORKER_STATUS" })).toThrow(TypeError);
  expect(() => worker.publish({}, { key: "a b" })).toThrow(TypeError);
  expect(await codeOf(worker.publish({ text: "x".repeat(1_048_576) }))).toBe("too_large");
  welcome();
  const refused = codeOf(worker.publish({}));
  expect(await codeOf(worker.publish({}))).toBe("outbox_full");
  net.last().say({ type: "error", ref: published()[0]?.ref, reason: "no" });
  expect(await refused).toBe("rejected");
});

test("a replaced worker ends, and so does everything that waited", async () => {
  const { net, worker, welcome } = setUp();
  welcome();
  const waiting = codeOf(worker.publish({}));
  net.last().close(4001, "replaced by a newer worker");
  expect(await worker.closed).toMatchObject({ code: "replaced" });
  expect(await waiting).toBe("replaced");
  expect(await codeOf(worker.publish({}))).toBe("closed");
});

test("close waits for the acknowledgements, but not for ever", async () => {
  const { world, net, worker, welcome, published } = setUp();
  welcome();
  const promise = worker.publish({});
  const lost = codeOf(worker.publish({}));
  const closed = worker.close({ flushMs: 1_000 });
  net.last().say({ type: "ack", ref: published()[0]?.ref, id: "a-1" });
  expect(await promise).toBe("a-1");
  expect(worker.state).toBe("open");
  world.advance(1_000);
  await closed;
  expect(await lost).toBe("closed");
  expect(world.timerCount()).toBe(0);
});

test("acknowledges a command when it is done, once, over whichever connection", async () => {
  const running: { readonly command: Command; readonly done: PromiseWithResolvers<void> }[] = [];
  const failures: unknown[] = [];
  const { net, welcome, lose } = setUp({
    onCommand(command) {
      const done = Promise.withResolvers<void>();
      running.push({ command, done });
      return done.promise;
    },
    onCommandFailed: (error) => failures.push(error),
  });
  const acks = (): unknown[] => net.last().sent.filter((text) => text.includes('"ack"'));
  const command = (id: string, attempt: number): object => ({ type: "command", id, attempt, data: { id } });
  welcome();
  net.last().say(command("a", 1));
  net.last().say(command("b", 1));
  expect(running).toHaveLength(1);
  lose();
  running[0]?.done.resolve();
  for (let turns = 0; turns < 5; turns += 1) await settled();
  welcome();
  expect(net.last().sent.slice(0, 2)).toEqual([
    '{"type":"ack","id":"a"}',
    '{"type":"register","metadata":{"hostname":"a"}}',
  ]);
  // It comes again all the same, and is acknowledged again; the other one is under way and is not begun twice.
  net.last().say(command("a", 2));
  net.last().say(command("b", 2));
  expect(acks()).toHaveLength(2);
  expect(running.map(({ command: { id } }) => id)).toEqual(["a", "b"]);
  running[1]?.done.reject(new Error("no"));
  for (let turns = 0; turns < 5; turns += 1) await settled();
  expect(failures).toEqual([new Error("no")]);
  expect(acks()).toHaveLength(2);
  net.last().say(command("b", 3));
  expect(running).toHaveLength(3);
});
