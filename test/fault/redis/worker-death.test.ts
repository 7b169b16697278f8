import { expect } from "bun:test";
import { acceptedOf, call, publishOne, sendCommand, stateOf, untilStatus } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { testWithRedis } from "../../support/redis.ts";
import { follow } from "./follower.ts";
import { LEASE_MS, startScene } from "./scene.ts";
import { saying, statusesOf, untilStatuses } from "./statuses.ts";
import { joinFaultWorker } from "./workers.ts";

// A hub dies with `kill -9` while it holds the worker (DESIGN.md, the worker's lease).

const command = (n: number): string => `{"type":"RUN","n":${n}}`;

testWithRedis("the worker of a hub that has died is offline within its lease, told once", async () => {
  await using scene = await startScene();
  const [{ hub: one }, { hub: two }] = scene.nodes;
  using follower = await follow(two);
  using worker = await joinFaultWorker(one, "w");
  worker.publish();
  await follower.untilText(saying("w", 1));
  expect(await untilStatuses(follower, 2)).toEqual([{}, { name: "w" }]);
  // What it is told as it dies may be in the stream or not: here is a worker in the middle of its work.
  for (let n = 0; n < 20; n++) worker.publish();
  one.kill("SIGKILL");
  await one.exited;

  const limitMs = 2 * LEASE_MS;
  const told = await within(untilStatuses(follower, 3), "offline within the lease", limitMs);
  expect(told).toEqual([{}, { name: "w" }, "offline"]);
  const state = JSON.parse((await call(two, "/api/v1/worker")).body);
  expect(state).toMatchObject({ status: "offline", metadata: null });
  // Nothing comes of it any more: neither a second word that it is offline, nor a late message.
  const count = follower.seen.length;
  await publishOne(two, '{"type":"LAST"}');
  await follower.untilText('{"type":"LAST"}');
  expect(follower.seen.length).toBe(count + 1);
  for (const [n, cursor] of worker.acknowledged)
    expect(follower.seen).toContainEqual({ cursor, text: saying("w", n) });
});

testWithRedis(
  "commands that the dead hub had sent, or was to send, go to the next worker, in order",
  async () => {
    await using scene = await startScene();
    const [{ hub: one }, { hub: two }] = scene.nodes;
    using first = await joinFaultWorker(one, "first");
    const ids: string[] = [];
    for (let n = 1; n <= 4; n++)
      ids.push(acceptedOf(await sendCommand(n % 2 === 0 ? one : two, command(n))).id);
    for (const [at, id] of ids.entries())
      expect(await first.nextCommand()).toMatchObject({ id, attempt: 1, data: command(at + 1) });
    first.send({ type: "ack", id: ids[1] });
    await untilStatus(two, ids[1] ?? "", "acknowledged");
    one.kill("SIGKILL");
    await one.exited;
    ids.push(acceptedOf(await sendCommand(two, command(5))).id);

    using second = await joinFaultWorker(two, "second");
    for (const [n, attempt] of [
      [1, 2],
      [3, 2],
      [4, 2],
      [5, 1],
    ] as const) {
      const id = ids[n - 1] ?? "";
      expect(await second.nextCommand()).toMatchObject({ id, attempt, data: command(n) });
      second.send({ type: "ack", id });
      expect((await untilStatus(two, id, "acknowledged")).attempts).toBe(attempt);
    }
    expect((await stateOf(two, ids[1] ?? "")).attempts).toBe(1);
  },
);

testWithRedis(
  "a worker that has moved on before the lease of its dead hub ends is never offline",
  async () => {
    await using scene = await startScene();
    const [{ hub: one }, { hub: two }] = scene.nodes;
    using follower = await follow(two);
    using _first = await joinFaultWorker(one, "first");
    await untilStatuses(follower, 2);
    one.kill("SIGKILL");
    await one.exited;
    using second = await joinFaultWorker(two, "second");
    await untilStatuses(follower, 4);
    // Longer than the lease of the first.
    await Bun.sleep(1.5 * LEASE_MS);
    const text = second.publish();
    await follower.untilText(text);
    expect(statusesOf(follower)).toEqual([{}, { name: "first" }, {}, { name: "second" }]);
  },
);
