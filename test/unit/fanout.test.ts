import { describe, expect, test } from "bun:test";
import type { Entry } from "../../src/backplane/backplane.ts";
import { createFanout } from "../../src/hub/fanout.ts";
import { createFeeds } from "../../src/hub/feeds.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

const MIB = 1_048_576;

function entry(offset: number, byteCount = 100, type = "A"): Entry {
  return { offset, cursor: `0000000a-${offset}`, text: `{"n":${offset}}`, byteCount, type, atMs: 0 };
}

/** A fan-out to one raw client, whose buffer is as full as the test says. */
function make({ onPublish = (_text: string): void => undefined } = {}) {
  const runtime = createFakeRuntime();
  const metrics = createMetrics();
  const published: string[] = [];
  const reader = { isBackedUp: false };
  const fanout = createFanout({
    pubSub: {
      publish(topic, text) {
        if (topic === "raw") {
          published.push(text);
          onPublish(text);
        }
        return text.length;
      },
      subscriberCount: (topic) => (topic === "raw" ? 1 : 0),
    },
    feeds: createFeeds(runtime, metrics),
    runtime,
    startOffset: 0,
    positionEvery: 1_000,
    cursorAt: (offset) => `0000000a-${offset}`,
    sliceBytes: MIB,
    isCongested: () => reader.isBackedUp,
    sent: () => undefined,
    metrics,
  });
  return { runtime, fanout, published, reader };
}

describe("a batch", () => {
  const batch = Array.from({ length: 8 }, (_, index) => entry(index + 1, MIB));

  test("is sent in slices, and what comes meanwhile waits its turn", () => {
    const { runtime, fanout, published } = make();
    fanout.deliver(batch);
    expect(published).toHaveLength(1);
    expect(fanout.liveOffset()).toBe(1);
    fanout.deliver([entry(9)]);
    expect(fanout.liveOffset()).toBe(1);
    runtime.advance(1_000);
    expect(published).toEqual([...batch, entry(9)].map(({ text }) => text));
    expect(fanout.liveOffset()).toBe(9);
  });

  test("waits for readers that are backed up", () => {
    const { runtime, fanout, published, reader } = make();
    fanout.deliver(batch);
    reader.isBackedUp = true;
    runtime.advance(200);
    expect(published).toHaveLength(1);
    reader.isBackedUp = false;
    runtime.advance(100);
    expect(published).toHaveLength(batch.length);
  });

  test("does not wait for ever, and each slice waits anew", () => {
    const { runtime, fanout, published, reader } = make();
    reader.isBackedUp = true;
    fanout.deliver(batch);
    runtime.advance(600);
    expect(published).toHaveLength(2);
    runtime.advance(5_000);
    expect(published).toHaveLength(batch.length);
  });

  test("is sent at once when the hub has to catch up", () => {
    const { fanout, published } = make();
    fanout.deliver(batch);
    fanout.catchUp();
    expect(published).toHaveLength(batch.length);
  });
});

describe("who waits behind what there is", () => {
  const batch = Array.from({ length: 8 }, (_, index) => entry(index + 1, MIB));

  test("goes on at once where nothing is left to send", () => {
    const { fanout, published } = make();
    fanout.deliver([entry(1)]);
    fanout.behindLive(() => published.push("behind"));
    expect(published).toEqual(['{"n":1}', "behind"]);
  });

  test("goes on in the order of asking, though more keeps coming", () => {
    const { runtime, fanout } = make();
    const ran: string[] = [];
    const ask = (name: string): void =>
      fanout.behindLive(() => ran.push(`${name} at ${fanout.liveOffset()}`));
    fanout.deliver(batch.slice(0, 4));
    ask("first");
    fanout.deliver(batch.slice(4));
    ask("second");
    ask("third");
    fanout.deliver([entry(9, MIB)]);
    expect(ran).toEqual([]);
    runtime.advance(1_000);
    expect(ran).toEqual(["first at 4", "second at 8", "third at 8"]);
  });

  test("is not forgotten where the stream goes on elsewhere", () => {
    const { fanout } = make();
    const ran: number[] = [];
    fanout.deliver(batch);
    fanout.behindLive(() => ran.push(fanout.liveOffset()));
    fanout.restart(100);
    expect(ran).toEqual([100]);
  });
});

test("what is published while something is being sent comes after it", () => {
  const order: string[] = [];
  const made = make({
    onPublish(text) {
      order.push(text);
      if (order.length === 1) made.fanout.deliver([entry(2)]);
    },
  });
  made.fanout.deliver([entry(1)]);
  made.runtime.advance(10);
  expect(order).toEqual(['{"n":1}', '{"n":2}']);
  expect(made.fanout.liveOffset()).toBe(2);
});
