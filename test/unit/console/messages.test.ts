import { expect, test } from "bun:test";
import { createMessages, type Messages } from "../../../src/console/messages.ts";

// What the console holds of the stream: bounded, filtered, paused.

function add(messages: Messages, type: string, text: string, kind: "message" | "note" = "message"): void {
  messages.add({ kind, id: "", type, text, atMs: 0, isReplayed: false });
}

function texts({ view }: Messages): string[] {
  return Array.from({ length: view.length }, (_, i) => view.at(i)?.text ?? "");
}

test("the oldest go when there are too many, or too many characters; one is always kept", () => {
  const messages = createMessages(3, 10);
  for (const text of ["a", "b", "c", "d"]) add(messages, "T", text);
  expect([texts(messages), messages.held, messages.evicted]).toEqual([["b", "c", "d"], 3, 1]);
  add(messages, "T", "123456789");
  expect(texts(messages)).toEqual(["d", "123456789"]);
  add(messages, "T", "x".repeat(50));
  expect(texts(messages)).toEqual(["x".repeat(50)]);
  expect([...messages.types]).toEqual([["T", 1]]);
});

test("a filter holds for what is there and for what comes; notes pass it", () => {
  const messages = createMessages();
  add(messages, "A", "One (1)");
  add(messages, "B", "one");
  add(messages, "", "lost", "note");
  messages.filter({ types: new Set(["A"]), search: "ONE" });
  expect(texts(messages)).toEqual(["One (1)", "lost"]);
  add(messages, "A", "two");
  add(messages, "A", "three, one");
  expect(texts(messages)).toEqual(["One (1)", "lost", "three, one"]);
  messages.filter({ types: new Set(), search: "(1)" });
  expect(texts(messages)).toEqual(["One (1)", "lost"]);
});

test("what a filter hides goes all the same, and takes nothing of the view with it", () => {
  const messages = createMessages(3);
  messages.filter({ types: new Set(["A"]), search: "" });
  for (const [type, text] of ["B1", "A1", "B2", "A2", "B3"].map((name) => [name.slice(0, 1), name] as const))
    add(messages, type, text);
  expect([texts(messages), messages.evicted]).toEqual([["A2"], 1]);
});

test("paused, the view stands still; what comes waits, within bounds, and is counted where it goes by", () => {
  const messages = createMessages(3);
  add(messages, "T", "before");
  messages.pause();
  for (const text of ["1", "2", "3", "4"]) add(messages, "T", text);
  expect([texts(messages), messages.waiting]).toEqual([["before"], 4]);
  expect(messages.resume()).toBe(1);
  expect([texts(messages), messages.waiting, messages.isPaused]).toEqual([["2", "3", "4"], 0, false]);
});

test("many thousands come and go", () => {
  const messages = createMessages(1_000);
  for (let n = 0; n < 20_000; n += 1) add(messages, `T${n % 7}`, String(n));
  expect([messages.view.at(0)?.text, messages.view.at(999)?.text]).toEqual(["19000", "19999"]);
  expect([...messages.types.values()].reduce((sum, held) => sum + held, 0)).toBe(1_000);
});
