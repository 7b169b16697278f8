import { expect, test } from "bun:test";
import { createSlots } from "../../../src/auth/slots.ts";

const NEVER = new AbortController().signal;

test("lets in as many as it has slots for, has as many wait, and turns away the rest", async () => {
  const slots = createSlots({ maxRunning: 2, maxWaiting: 1 });
  expect(await slots.enter(NEVER)).toBe("entered");
  expect(await slots.enter(NEVER)).toBe("entered");
  const waiting = slots.enter(NEVER);
  expect(await slots.enter(NEVER)).toBe("full");
  expect([slots.running(), slots.waiting()]).toEqual([2, 1]);
  slots.leave();
  expect(await waiting).toBe("entered");
  expect([slots.running(), slots.waiting()]).toEqual([2, 0]);
  slots.leave();
  slots.leave();
  expect(slots.running()).toBe(0);
});

test("those who wait enter in their order, and before anyone who comes later", async () => {
  const slots = createSlots({ maxRunning: 1, maxWaiting: 10 });
  await slots.enter(NEVER);
  const order: string[] = [];
  const enter = async (name: string): Promise<void> => {
    await slots.enter(NEVER);
    order.push(name);
    slots.leave();
  };
  const all = ["a", "b", "c"].map(enter);
  slots.leave();
  all.push(enter("late"));
  await Promise.all(all);
  expect(order).toEqual(["a", "b", "c", "late"]);
  expect(slots.running()).toBe(0);
});

test("whoever gives up frees the place in the queue and takes no slot", async () => {
  const slots = createSlots({ maxRunning: 1, maxWaiting: 1 });
  await slots.enter(NEVER);
  const impatient = new AbortController();
  const given = slots.enter(impatient.signal);
  impatient.abort();
  expect(await given).toBe("aborted");
  expect(slots.waiting()).toBe(0);
  const patient = slots.enter(NEVER);
  slots.leave();
  expect(await patient).toBe("entered");
  slots.leave();
  expect(slots.running()).toBe(0);
});

test("whoever has given up before does not even queue", async () => {
  const slots = createSlots({ maxRunning: 1, maxWaiting: 1 });
  expect(await slots.enter(AbortSignal.abort())).toBe("aborted");
  expect(slots.running()).toBe(0);
});

test("giving up after having entered changes nothing", async () => {
  const slots = createSlots({ maxRunning: 1, maxWaiting: 1 });
  await slots.enter(NEVER);
  const late = new AbortController();
  const waiting = slots.enter(late.signal);
  slots.leave();
  late.abort();
  expect(await waiting).toBe("entered");
  slots.leave();
  expect([slots.running(), slots.waiting()]).toEqual([0, 0]);
});
