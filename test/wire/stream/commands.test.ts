import { describe, expect, test } from "bun:test";
import { acceptedOf, sendCommand as postCommand, stateOf } from "../../support/api.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinRawWorker } from "../../support/parties.ts";
import { joinLive, joinStreamWorker, type StreamSocket } from "../../support/streamclient.ts";
import type { Command } from "../../support/streamframe.ts";

// PROTOCOL.md sections 3 and 4: commands for a stream-framed worker.

const REGISTER = { type: "register", metadata: {} };

/** Sends a command that the hub must accept. */
async function sendCommand(
  hub: Hub,
  json: string,
  headers: Record<string, string> = {},
): Promise<{ readonly id: string; readonly status: "sent" | "queued" }> {
  return acceptedOf(await postCommand(hub, json, { headers }));
}

async function nextCommands(worker: StreamSocket, count: number): Promise<Command[]> {
  const commands: Command[] = [];
  while (commands.length < count) {
    const frame = await worker.next();
    if (frame.type !== "command") throw new Error(`${JSON.stringify(frame)} where a command was due`);
    commands.push(frame);
  }
  return commands;
}

/** A worker that takes commands. */
async function joinRegistered(hub: Hub): Promise<StreamSocket> {
  const worker = await joinStreamWorker(hub);
  worker.send(REGISTER);
  return worker;
}

const text = (n: number): string => `{"type":"TRIGGER_DOC_SYNC","n":${n}}`;
const idsOf = (commands: readonly { readonly id: string }[]): string[] => commands.map(({ id }) => id);

async function sendMany(hub: Hub, count: number, first = 0): Promise<string[]> {
  const ids: string[] = [];
  for (let n = first; n < first + count; n++) ids.push((await sendCommand(hub, text(n))).id);
  return ids;
}

describe("before register", () => {
  test("no command is sent; then all that wait are, in order", async () => {
    await using hub = await startHub();
    const early = await sendMany(hub, 3);
    await using worker = await joinStreamWorker(hub);
    const ids = [...early, ...(await sendMany(hub, 3, 3))];
    expect(await worker.untilPong()).toEqual([]);
    for (const id of ids) {
      expect(await stateOf(hub, id)).toEqual({ id, status: "queued", attempts: 0 });
    }
    worker.send(REGISTER);
    const commands = await nextCommands(worker, 6);
    expect(commands).toEqual(ids.map((id, n) => ({ type: "command", id, attempt: 1, data: text(n) })));
    for (const id of ids) expect(await stateOf(hub, id)).toEqual({ id, status: "sent", attempts: 1 });
  });

  test("a worker that has not registered leaves them to one that has", async () => {
    await using hub = await startHub({ env: { WORKER_POLICY: "shared" } });
    await using ready = await joinRegistered(hub);
    await ready.untilPong();
    await using newer = await joinStreamWorker(hub);
    const [id] = await sendMany(hub, 1);
    expect(idsOf(await nextCommands(ready, 1))).toEqual([id as string]);
    newer.send(REGISTER);
    expect(await newer.untilPong()).toEqual([]);
    const [next] = await sendMany(hub, 1, 1);
    expect(idsOf(await nextCommands(newer, 1))).toEqual([next as string]);
    expect(await ready.untilPong()).toEqual([]);
  });
});

describe("a command", () => {
  test("carries its text byte for byte, and is sent at once", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinRegistered(hub);
    await worker.untilPong();
    for (const data of [
      '{ "n" : 12345678901234567890, "f":1.0,\r\n"e":1E2 }',
      '{"a":1,"a":2}',
      '{"s":"\\ud800 \\/ 🔑"}',
      "{}",
      `{"long":"${"é".repeat(300_000)}"}`,
    ]) {
      const { id, status } = await sendCommand(hub, data);
      expect(status).toBe("sent");
      expect(await nextCommands(worker, 1)).toEqual([{ type: "command", id, attempt: 1, data }]);
    }
    // It is the worker's alone.
    expect(await client.texts(2)).toHaveLength(2);
    expect(await client.untilPong()).toEqual([]);
  });

  test("is acknowledged by its id, and by nothing else", async () => {
    await using hub = await startHub();
    await using worker = await joinRegistered(hub);
    await using client = await joinLive(hub);
    const [one = "", two = ""] = await sendMany(hub, 2);
    await nextCommands(worker, 2);
    client.send({ type: "ack", id: one });
    worker.send({ type: "ack", id: "unknown" });
    worker.send({ type: "ack", id: two });
    worker.send({ type: "ack", id: two });
    expect(await worker.untilPong()).toEqual([]);
    await client.untilPong();
    expect(await stateOf(hub, two)).toEqual({ id: two, status: "acknowledged", attempts: 1 });
    expect(await stateOf(hub, one)).toEqual({ id: one, status: "sent", attempts: 1 });
  });

  test("repeated under one key is sent once", async () => {
    await using hub = await startHub();
    await using worker = await joinRegistered(hub);
    const { id } = await sendCommand(hub, text(1), { "idempotency-key": "k" });
    expect((await sendCommand(hub, text(1), { "idempotency-key": "k" })).id).toBe(id);
    expect(idsOf(await nextCommands(worker, 1))).toEqual([id]);
    expect(await worker.untilPong()).toEqual([]);
  });
});

describe("without an acknowledgement", () => {
  test("commands go to the next worker that registers, in order, with attempt counted up", async () => {
    await using hub = await startHub();
    const first = await joinRegistered(hub);
    const ids = await sendMany(hub, 5);
    await nextCommands(first, 5);
    first.send({ type: "ack", id: ids[1] });
    first.send({ type: "ack", id: ids[3] });
    await first.untilPong();
    await first[Symbol.asyncDispose]();
    const left = [0, 2, 4];

    for (const attempt of [2, 3]) {
      await using worker = await joinStreamWorker(hub);
      expect(await worker.untilPong()).toEqual([]);
      worker.send(REGISTER);
      const again = await nextCommands(worker, left.length);
      expect(again).toEqual(
        left.map((n) => ({ type: "command", id: ids[n] as string, attempt, data: text(n) })),
      );
      expect(await stateOf(hub, ids[0] as string)).toMatchObject({ status: "sent", attempts: attempt });
    }
    const [later] = await sendMany(hub, 1, 5);
    await using last = await joinRegistered(hub);
    expect(idsOf(await nextCommands(last, 4))).toEqual([
      ...left.map((n) => ids[n] as string),
      later as string,
    ]);
  });

  test("a replaced worker's go to its successor, and its late acknowledgement counts no more", async () => {
    await using hub = await startHub();
    await using old = await joinRegistered(hub);
    const [id = ""] = await sendMany(hub, 1);
    await nextCommands(old, 1);
    await using successor = await joinRegistered(hub);
    expect(await nextCommands(successor, 1)).toEqual([{ type: "command", id, attempt: 2, data: text(0) }]);
    expect((await old.untilClose()).code).toBe(4001);
    expect(await stateOf(hub, id)).toMatchObject({ status: "sent", attempts: 2 });
  });

  test("from one socket it may come from another", async () => {
    await using hub = await startHub();
    const first = await joinRegistered(hub);
    const [id = ""] = await sendMany(hub, 1);
    await nextCommands(first, 1);
    await first[Symbol.asyncDispose]();

    await using second = await joinStreamWorker(hub);
    second.send({ type: "ack", id });
    second.send(REGISTER);
    expect(await second.untilPong()).toEqual([]);
    expect(await stateOf(hub, id)).toEqual({ id, status: "acknowledged", attempts: 1 });
  });

  test("side by side: what the newest leaves undone goes to one that is left", async () => {
    await using hub = await startHub({ env: { WORKER_POLICY: "shared" } });
    await using older = await joinRegistered(hub);
    await older.untilPong();
    const newer = await joinRegistered(hub);
    await newer.untilPong();
    const ids = await sendMany(hub, 2);
    await nextCommands(newer, 2);
    older.send({ type: "ack", id: ids[0] });
    expect(await older.untilPong()).toEqual([]);
    await newer[Symbol.asyncDispose]();
    expect(await nextCommands(older, 1)).toEqual([
      { type: "command", id: ids[1] as string, attempt: 2, data: text(1) },
    ]);
  });

  test("a raw worker's go to a stream-framed one, and the other way round", async () => {
    await using hub = await startHub();
    const ids = await sendMany(hub, 2);
    const mute = await joinRawWorker(hub, { pings: "ignore" });
    expect([await mute.nextText(), await mute.nextText()]).toEqual([text(0), text(1)]);
    await mute[Symbol.asyncDispose]();

    const worker = await joinRegistered(hub);
    const again = await nextCommands(worker, 2);
    expect(again.map(({ id, attempt }) => [id, attempt])).toEqual(ids.map((id) => [id, 2]));
    worker.send({ type: "ack", id: ids[0] });
    await worker.untilPong();
    await worker[Symbol.asyncDispose]();

    await using raw = await joinRawWorker(hub, { pings: "answer" });
    expect(await raw.nextText()).toBe(text(1));
    expect(await raw.untilPong()).toEqual([]);
    expect(await stateOf(hub, ids[1] as string)).toEqual({
      id: ids[1] as string,
      status: "acknowledged",
      attempts: 3,
    });
  });
});
