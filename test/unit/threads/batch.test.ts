import { expect, test } from "bun:test";
import { createOutbox, pack, unpack } from "../../../src/threads/wire/batch.ts";
import { entriesOf, headsOf, textsOf } from "../../../src/threads/wire/entries.ts";

// What threads say to each other: one string for all that is said in one step.

function collected() {
  const posted: string[] = [];
  const steps: (() => void)[] = [];
  const turns: (() => void)[] = [];
  const outbox = createOutbox<{ op: string }>(
    (batch) => void posted.push(batch),
    (run) => void steps.push(run),
    (run) => void turns.push(run),
  );
  const runAll = (runs: (() => void)[]): void => {
    for (const run of runs.splice(0)) run();
  };
  return { posted, outbox, endStep: () => runAll(steps), endTurn: () => runAll(turns) };
}

const read = (batch: string) => {
  const { ops, texts } = unpack<{ op: string }>(batch);
  return { ops: ops.map(({ op }) => op), texts };
};

test("texts arrive as they were, in the order in which they were said", () => {
  const texts = ['{"a":"\\u0000 \u{1F511} \ud800"}', '{\n "b" : 1.0 }', "{}", '{"c":"\x7f\u2028"}'];
  const { ops, texts: taken } = read(pack([{ op: "x" }, { op: "y\u0000" }], texts));
  expect(ops).toEqual(["x", "y\u0000"]);
  expect(texts.map(() => taken())).toEqual(texts);
});

test("what is said in one step is one batch, and the next step has another", () => {
  const { posted, outbox, endStep } = collected();
  outbox.say({ op: "a" }, ["1", "2"]);
  outbox.say({ op: "b" });
  outbox.say({ op: "c" }, ["3"]);
  expect(posted).toEqual([]);
  endStep();
  outbox.say({ op: "d" });
  endStep();
  expect(posted.map((batch) => read(batch).ops)).toEqual([["a", "b", "c"], ["d"]]);
  const { texts } = read(posted[0] ?? "");
  expect([texts(), texts(), texts()]).toEqual(["1", "2", "3"]);
});

test("what can wait is posted at the end of the turn, or before it with what cannot", () => {
  const { posted, outbox, endStep, endTurn } = collected();
  outbox.sayLater({ op: "a" }, ["1"]);
  endStep();
  outbox.sayLater({ op: "b" }, ["2"]);
  endStep();
  expect(posted).toEqual([]);
  endTurn();
  outbox.sayLater({ op: "c" }, ["3"]);
  outbox.say({ op: "d" });
  endStep();
  endTurn();
  expect(posted.map((batch) => read(batch).ops)).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
});

test("what is said alone shares its batch with nothing, and keeps its place", () => {
  const { posted, outbox, endStep } = collected();
  outbox.say({ op: "a" }, ["1"]);
  outbox.sayAlone({ op: "b" }, ["2"]);
  outbox.say({ op: "c" }, ["3"]);
  endStep();
  expect(posted.map((batch) => [...read(batch).ops, read(batch).texts()])).toEqual([
    ["a", "1"],
    ["b", "2"],
    ["c", "3"],
  ]);
});

test("nothing said is nothing posted", () => {
  const { posted, outbox, endStep } = collected();
  outbox.flush();
  outbox.say({ op: "a" });
  outbox.flush();
  endStep();
  expect(posted).toHaveLength(1);
});

test("entries arrive whole", () => {
  const entries = [7, 8, 9].map((offset) => ({
    offset,
    cursor: `0000abcd-${offset}`,
    text: `{"n":${offset}}`,
    byteCount: 7,
    type: offset === 8 ? undefined : `T\u0000${offset}`,
    atMs: 1_000 + offset,
  }));
  const { ops, texts } = unpack<ReturnType<typeof headsOf>>(pack([headsOf(entries)], textsOf(entries)));
  expect(entriesOf(ops[0] as ReturnType<typeof headsOf>, texts)).toEqual(entries);
});
