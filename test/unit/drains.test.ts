import { expect, test } from "bun:test";
import type { Socket } from "../../src/hub/connection.ts";
import { createDrains } from "../../src/hub/drains.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

/** As much of a socket as is looked at. */
function makeSocket(bufferedBytes: number) {
  const state = { bufferedBytes, data: { retired: false } };
  const socket = { data: state.data, getBufferedAmount: () => state.bufferedBytes } as unknown as Socket;
  return { state, socket };
}

function make() {
  const runtime = createFakeRuntime();
  const told: Socket[] = [];
  const drains = createDrains(runtime, (socket) => told.push(socket));
  return { runtime, told, drains };
}

test("a socket whose buffer has emptied is told of, once, although Bun says nothing", () => {
  const { runtime, told, drains } = make();
  const { state, socket } = makeSocket(1);
  drains.expect(socket);
  runtime.advance(1_000);
  expect(told).toEqual([]);
  state.bufferedBytes = 0;
  runtime.advance(100);
  expect(told).toEqual([socket]);
  runtime.advance(1_000);
  expect(told).toEqual([socket]);
});

test("who is told may expect the next at once", () => {
  const runtime = createFakeRuntime();
  const { state, socket } = makeSocket(0);
  const told: number[] = [];
  const drains = createDrains(runtime, () => {
    told.push(runtime.monotonicMs());
    state.bufferedBytes = told.length === 1 ? 1 : 0;
    if (told.length === 1) drains.expect(socket);
  });
  drains.expect(socket);
  runtime.advance(500);
  state.bufferedBytes = 0;
  runtime.advance(500);
  expect(told).toEqual([100, 600]);
});

test("nobody is told of a connection that has ended, and nothing is looked at when nobody waits", () => {
  const { runtime, told, drains } = make();
  const { state, socket } = makeSocket(1);
  drains.expect(socket);
  state.data.retired = true;
  state.bufferedBytes = 0;
  runtime.advance(100);
  expect(told).toEqual([]);
  expect(runtime.timerCount()).toBe(0);
  drains.expect(makeSocket(1).socket);
  expect(runtime.timerCount()).toBe(1);
  drains.stop();
  expect(runtime.timerCount()).toBe(0);
});
