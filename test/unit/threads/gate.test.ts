import { describe, expect, test } from "bun:test";
import {
  createGate,
  GATE_LIMIT,
  GATE_LIMIT_BYTES,
  UNSENT_LIMIT_BYTES,
  UNSENT_LIMIT_MESSAGES,
} from "../../../src/threads/core/gate.ts";
import { createSeat } from "../../../src/threads/core/seat.ts";
import { createReceipts } from "../../../src/threads/edge/receipts.ts";
import type { ToCore } from "../../../src/threads/wire/to-core.ts";
import { createEdges, publishOn } from "../../support/edges.ts";

// The queues between core and edges are bounded by credits.

function gateWith(count: number) {
  const seats = Array.from({ length: count }, (_, thread) =>
    createSeat(
      thread,
      () => undefined,
      () => undefined,
    ),
  );
  const present = new Set(seats);
  return { seats, present, gate: createGate(present), ran: [] as number[] };
}

describe("the gate", () => {
  test("is open while every edge has credit", () => {
    const { seats, gate, ran } = gateWith(2);
    for (const seat of seats) gate.charge(seat, UNSENT_LIMIT_MESSAGES, UNSENT_LIMIT_BYTES);
    gate.pass(seats[0], 10, () => ran.push(1));
    expect(ran).toEqual([1]);
  });

  test("closes for all where one has none, and goes on in order when it has", () => {
    const { seats, gate, ran } = gateWith(2);
    const [slow, other] = seats as [(typeof seats)[number], (typeof seats)[number]];
    gate.charge(slow, UNSENT_LIMIT_MESSAGES + 1, 1);
    for (const n of [1, 2, 3]) {
      gate.pass(other, 10, () => {
        ran.push(n);
        // Each costs credit: the third finds the gate closed again.
        if (n === 2) gate.charge(slow, UNSENT_LIMIT_MESSAGES, 0);
      });
    }
    expect([ran, gate.waiting()]).toEqual([[], 3]);
    gate.charge(slow, -1, -1);
    expect([ran, gate.waiting()]).toEqual([[1, 2], 1]);
    gate.charge(slow, -UNSENT_LIMIT_MESSAGES, 0);
    expect([ran, gate.waiting()]).toEqual([[1, 2, 3], 0]);
  });

  test("opens when the edge that it was closed for has gone; what that had said is dropped", () => {
    const { seats, present, gate, ran } = gateWith(2);
    const [slow, other] = seats as [(typeof seats)[number], (typeof seats)[number]];
    gate.charge(slow, 0, UNSENT_LIMIT_BYTES + 1);
    gate.pass(slow, 10, () => ran.push(1));
    gate.pass(other, 10, () => ran.push(2));
    slow.isGone = true;
    present.delete(slow);
    gate.look();
    expect(ran).toEqual([2]);
  });

  test("refuses past its bounds, but only what can be refused", () => {
    const { seats, gate } = gateWith(1);
    const [seat] = seats as [(typeof seats)[number]];
    gate.charge(seat, UNSENT_LIMIT_MESSAGES + 1, 1);
    const refused: string[] = [];
    gate.pass(
      seat,
      GATE_LIMIT_BYTES,
      () => undefined,
      (why) => refused.push(why),
    );
    gate.pass(
      seat,
      1,
      () => undefined,
      (why) => refused.push(why),
    );
    gate.pass(seat, 0, () => undefined);
    expect([refused.length, gate.waiting()]).toEqual([1, 2]);
    for (let count = 2; count < GATE_LIMIT; count += 1) gate.pass(seat, 0, () => undefined);
    gate.pass(
      seat,
      0,
      () => undefined,
      (why) => refused.push(why),
    );
    expect([refused.length, gate.waiting()]).toEqual([2, GATE_LIMIT]);
  });

  test("what must come behind an edge's own waits for that alone", () => {
    const { seats, gate, ran } = gateWith(2);
    const [slow, other] = seats as [(typeof seats)[number], (typeof seats)[number]];
    gate.charge(slow, UNSENT_LIMIT_MESSAGES + 1, 1);
    gate.pass(slow, 1, () => ran.push(1));
    gate.passBehind(slow, () => ran.push(2));
    gate.passBehind(other, () => ran.push(3));
    expect(ran).toEqual([3]);
    gate.charge(slow, -1, -1);
    expect(ran).toEqual([3, 1, 2]);
  });
});

test("an edge that confirms nothing holds back what enters, and its confirmation lets it in", async () => {
  const edges = createEdges({ HISTORY_MESSAGES: "1000000" });
  const [slow, other] = [edges.add(), edges.add()];
  const texts = Array.from({ length: UNSENT_LIMIT_MESSAGES + 1 }, (_, at) => `{"n":${at}}`);
  publishOn(other, texts);
  await edges.settle();
  const held = publishOn(other, ['{"held":true}']);
  other.backplane.barrier(() => order.push("barrier"));
  const order: string[] = [];
  await edges.settle();
  expect([held.result, order]).toEqual([undefined, []]);
  for (const edge of [slow, other]) {
    edge.outbox.say({ op: "sent", messages: edge.unsaid.length, bytes: 0 });
  }
  await edges.settle();
  expect(held.result?.ok).toBe(true);
  expect(order).toEqual(["barrier"]);
  expect(slow.entries.at(-1)?.text).toBe('{"held":true}');
});

describe("what an edge confirms", () => {
  const entries = (count: number, byteCount = 10) =>
    Array.from({ length: count }, (_, at) => ({
      offset: at,
      cursor: "",
      text: "",
      byteCount,
      type: undefined,
      atMs: 0,
    }));
  const start = (behindLive: (run: () => void) => void) => {
    const said: ToCore[] = [];
    const outbox = { say: (op: ToCore) => void said.push(op) };
    return { said, receipts: createReceipts(outbox, behindLive) };
  };

  test("is told in lots, and the rest now and then", () => {
    const { said, receipts } = start((run) => run());
    receipts.delivered(entries(1_000));
    expect(said).toEqual([]);
    receipts.delivered(entries(100));
    expect(said).toEqual([{ op: "sent", messages: 1_100, bytes: 11_000 }]);
    receipts.delivered(entries(3));
    receipts.tick();
    receipts.tick();
    expect(said.slice(1)).toEqual([{ op: "sent", messages: 3, bytes: 30 }]);
  });

  test("has really been sent, the rest of a batch included", () => {
    const behind: (() => void)[] = [];
    const { said, receipts } = start((run) => void behind.push(run));
    receipts.delivered(entries(1_024));
    receipts.delivered(entries(1_025));
    receipts.tick();
    expect(said).toEqual([]);
    for (const run of behind) run();
    expect(said).toEqual([
      { op: "sent", messages: 1_024, bytes: 10_240 },
      { op: "sent", messages: 1_025, bytes: 10_250 },
    ]);
  });
});
