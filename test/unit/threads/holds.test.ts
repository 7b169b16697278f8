import { describe, expect, test } from "bun:test";
import { createHolds, HOLD_BYTES, HOLD_MESSAGES } from "../../../src/backplane/holds.ts";
import { UNSENT_LIMIT_MESSAGES } from "../../../src/threads/core/gate.ts";
import { createInbox } from "../../../src/threads/edge/inbox.ts";
import { pack, type Texts } from "../../../src/threads/wire/batch.ts";
import type { ToEdge } from "../../../src/threads/wire/to-edge.ts";
import { createEdges, publishOn } from "../../support/edges.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";

// Who is faster than the rest is held back, and nothing is lost.

function heldWith() {
  const told: string[] = [];
  const holds = createHolds((token, isHeld) => void told.push(`${token} ${isHeld}`));
  return { told, holds };
}

describe("a worker", () => {
  test("is held once too many of its messages are unanswered, until half of them are answered", () => {
    const { told, holds } = heldWith();
    for (let sent = 0; sent < HOLD_MESSAGES + 10; sent += 1) holds.sent("w", 1, 10);
    expect(told).toEqual(["w true"]);
    for (let left = HOLD_MESSAGES + 10; left > HOLD_MESSAGES / 2 + 1; left -= 1) holds.answered("w", 1, 10);
    expect(told).toEqual(["w true"]);
    holds.answered("w", 1, 10);
    expect(told).toEqual(["w true", "w false"]);
  });

  test("is held once too many bytes are, and the others are not", () => {
    const { told, holds } = heldWith();
    holds.sent("w", 1, HOLD_BYTES);
    holds.sent("v", 1, HOLD_BYTES);
    holds.sent("w", 1, 1);
    holds.answered("w", 1, HOLD_BYTES);
    expect(told).toEqual(["w true", "w false"]);
  });

  test("that sends while an edge has no credit is held, and loses nothing", async () => {
    const edges = createEdges({ HISTORY_MESSAGES: "1000000" });
    const [slow, edge] = [edges.add(), edges.add()];
    edge.backplane.register({ token: "w", connId: "c", connectedAtMs: 1, lastSeenAtMs: () => 1 });
    const full = Array.from({ length: UNSENT_LIMIT_MESSAGES + 1 }, (_, at) => `{"full":${at}}`);
    publishOn(slow, full);
    await edges.settle();
    const sent = Array.from({ length: HOLD_MESSAGES + 100 }, (_, at) => `{"n":${at}}`);
    for (const text of sent) publishOn(edge, [text], { worker: "w" });
    await edges.settle();
    expect(edge.told.at(-1)).toBe("w held");
    for (const one of [slow, edge]) {
      one.outbox.say({ op: "sent", messages: one.unsaid.length, bytes: 0 });
    }
    await edges.settle();
    expect(edge.told.at(-1)).toBe("w goes on");
    expect(slow.entries.slice(-sent.length).map(({ text }) => text)).toEqual(sent);
  });
});

test("a worker is held while its edge or the core's backplane wants it held", async () => {
  const edges = createEdges();
  const edge = edges.add();
  edge.backplane.register({ token: "w", connId: "c", connectedAtMs: 1, lastSeenAtMs: () => 1 });
  await edges.settle();
  const { hold } = edges.broker.events;
  const held = (): string[] => edge.told.filter((line) => /held|goes on/.test(line));
  hold("w", true);
  await edges.settle();
  publishOn(edge, new Array<string>(HOLD_MESSAGES + 1).fill("{}"), { worker: "w" });
  expect(held()).toEqual(["w held"]);
  await edges.settle();
  expect(held()).toEqual(["w held"]);
  hold("w", false);
  await edges.settle();
  expect(held()).toEqual(["w held", "w goes on"]);
});

describe("what an edge takes in a turn", () => {
  const entries = (bytes: number): ToEdge => ({ op: "entries", first: 1, heads: [["c-1", bytes, null, 0]] });
  const barrier: ToEdge = { op: "answer", id: 1 };

  function inboxWith(turnBytes: number) {
    const runtime = createFakeRuntime();
    const taken: string[] = [];
    const take = (op: ToEdge, texts: Texts): void => {
      taken.push(op.op === "entries" ? texts() : op.op);
    };
    return { runtime, taken, inbox: createInbox({ runtime, turnBytes, take }) };
  }

  test("is bounded, keeps its order, and the rest comes in the next turns", () => {
    const { runtime, taken, inbox } = inboxWith(100);
    inbox.hear(pack([entries(60), entries(60), barrier, entries(200)], ["1", "2", "3"]));
    inbox.hear(pack([barrier, entries(1)], ["4"]));
    expect(taken).toEqual(["1", "2"]);
    runtime.advance(0);
    expect(taken).toEqual(["1", "2", "answer", "3", "answer", "4"]);
  });

  test("is taken at once while it is little, and each turn anew", () => {
    const { runtime, taken, inbox } = inboxWith(100);
    for (let turn = 0; turn < 3; turn += 1) {
      inbox.hear(pack([entries(90), barrier], [String(turn)]));
      expect(taken).toHaveLength(2 * (turn + 1));
      runtime.advance(0);
    }
    expect(runtime.timerCount()).toBe(0);
  });
});
