import { describe, expect, test } from "bun:test";
import { acceptedOf, sendCommand, stateOf } from "../../support/api.ts";
import { OPCODE } from "../../support/frame.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import {
  joinClient,
  joinRawClient,
  joinRawWorker,
  joinWorker,
  OFFLINE,
  online,
} from "../../support/parties.ts";
import type { RawSocket } from "../../support/rawsocket.ts";
import { testThatNeeds } from "../../support/skip.ts";
import { HAS_VECTRA_WORKER, startVectraWorker, VECTRA_WORKER_NEEDS } from "../../support/vectra.ts";

// Commands for a raw-framing worker (PROTOCOL.md section 4): the bare object, then a ping that carries the command's id,
// whose pong is the acknowledgement.

const text = (n: number): string => `{"type":"TRIGGER_DOC_SYNC","id":${n}}`;

async function send(hub: Hub, json: string): Promise<string> {
  return acceptedOf(await sendCommand(hub, json)).id;
}

async function sendMany(hub: Hub, count: number, first = 1): Promise<string[]> {
  const ids: string[] = [];
  for (let n = first; n < first + count; n++) ids.push(await send(hub, text(n)));
  return ids;
}

/** The next command and the id that its ping carries. */
async function nextCommand(worker: RawSocket): Promise<{ text: string; id: string }> {
  const command = await worker.nextText();
  const frame = await worker.next();
  if (frame.opcode !== OPCODE.ping) throw new Error(`opcode ${frame.opcode} where a ping was due`);
  return { text: command, id: Buffer.from(frame.payload).toString() };
}

async function nextCommands(worker: RawSocket, count: number): Promise<{ text: string; id: string }[]> {
  const commands: { text: string; id: string }[] = [];
  while (commands.length < count) commands.push(await nextCommand(worker));
  return commands;
}

/** Sends a pong, and waits until the hub has read it. */
async function pong(socket: RawSocket, payload: string): Promise<void> {
  socket.frame({ opcode: OPCODE.pong, payload });
  expect(await socket.untilPong()).toEqual([]);
}

async function statesOf(hub: Hub, ids: readonly string[]): Promise<string[]> {
  const states: string[] = [];
  for (const id of ids) {
    const state = await stateOf(hub, id);
    expect(Object.keys(state)).toEqual(["id", "status", "attempts"]);
    expect(state.id).toBe(id);
    states.push(`${state.status} ${state.attempts}`);
  }
  return states;
}

describe("a command", () => {
  test("is the bare object and a ping with its id; the pong acknowledges it", async () => {
    await using hub = await startHub();
    await using worker = await joinRawWorker(hub);
    await using client = await joinClient(hub, online());
    const accepted = acceptedOf(await sendCommand(hub, text(1)));
    expect(accepted.status).toBe("sent");
    expect(await nextCommand(worker)).toEqual({ text: text(1), id: accepted.id });
    expect(await statesOf(hub, [accepted.id])).toEqual(["sent 1"]);
    await pong(worker, accepted.id);
    expect(await statesOf(hub, [accepted.id])).toEqual(["acknowledged 1"]);
    // It is between the backend and the worker.
    expect(await client.untilPong()).toEqual([]);
  });

  const verbatim = [
    '{ "type":"TRIGGER_CONNECTOR_SYNC" , "id":9223372036854775807,\r\n\t"force":true }\n',
    '{"n":1.0,"n":1e2,"s":"\\ud800\\/"}',
    '{"s":"é 鍵 \u{1f511}\u2028"}',
    "{}",
  ];
  test.each(verbatim)("arrives byte for byte: %p", async (json) => {
    await using hub = await startHub();
    await using worker = await joinRawWorker(hub);
    const id = await send(hub, json);
    expect(await nextCommand(worker)).toEqual({ text: json, id });
  });

  test("has an id of its own, even if it says the same", async () => {
    await using hub = await startHub();
    await using worker = await joinRawWorker(hub);
    const ids = [await send(hub, text(1)), await send(hub, text(1))];
    expect(new Set(ids).size).toBe(2);
    expect((await nextCommands(worker, 2)).map(({ id }) => id)).toEqual(ids);
  });
});

describe("the pong", () => {
  test("for a later command acknowledges those before it, not those behind", async () => {
    await using hub = await startHub();
    await using worker = await joinRawWorker(hub);
    const ids = await sendMany(hub, 4);
    await nextCommands(worker, 4);
    await pong(worker, ids[2] ?? "");
    const states = ["acknowledged 1", "acknowledged 1", "acknowledged 1", "sent 1"];
    expect(await statesOf(hub, ids)).toEqual(states);
    await pong(worker, ids[0] ?? "");
    expect(await statesOf(hub, ids)).toEqual(states);
    await pong(worker, ids[3] ?? "");
    expect(await statesOf(hub, ids)).toEqual([...states.slice(0, 3), "acknowledged 1"]);
  });

  test("of anything else acknowledges nothing", async () => {
    await using hub = await startHub();
    await using worker = await joinRawWorker(hub);
    await using client = await joinRawClient(hub, online());
    const [id = ""] = await sendMany(hub, 1);
    await nextCommand(worker);
    for (const payload of ["", "0011223344556677", id.slice(1), `${id}0`, "\u0000", "x".repeat(125)]) {
      await pong(worker, payload);
    }
    // Somebody who has learnt the id is no worker.
    await pong(client, id);
    expect(await statesOf(hub, [id])).toEqual(["sent 1"]);
    worker.text(id);
    expect(await worker.untilPong()).toEqual([]);
    expect(await statesOf(hub, [id])).toEqual(["sent 1"]);
  });

  test("may be for the newest ping alone, be that a heartbeat's (RFC 6455, section 5.5.3)", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "50" } });
    await using worker = await joinRawWorker(hub);
    const ids = await sendMany(hub, 2);
    const pings: Uint8Array[] = [];
    while (pings.length < 10) {
      const frame = await worker.next();
      if (frame.opcode === OPCODE.ping) pings.push(frame.payload);
    }
    worker.frame({ opcode: OPCODE.pong, payload: pings.at(-1) ?? "" });
    worker.text("ping");
    for (let frame = await worker.next(); frame.opcode !== OPCODE.text; ) frame = await worker.next();
    expect(await statesOf(hub, ids)).toEqual(["acknowledged 1", "acknowledged 1"]);
  });
});

describe("unacknowledged commands are sent again to the next worker", () => {
  test("that registers, in order and before new ones; acknowledged ones are not", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using first = await joinRawWorker(hub);
    const ids = await sendMany(hub, 4);
    await nextCommands(first, 4);
    await pong(first, ids[1] ?? "");
    first.close(1000);
    for (const status of [online(), OFFLINE]) expect(await client.next()).toBe(status);
    ids.push(...(await sendMany(hub, 1, 5)));

    await using second = await joinRawWorker(hub);
    ids.push(...(await sendMany(hub, 1, 6)));
    const again = [3, 4, 5, 6].map((n) => ({ text: text(n), id: ids[n - 1] ?? "" }));
    expect(await nextCommands(second, 4)).toEqual(again);
    expect(await statesOf(hub, ids)).toEqual([
      ...["acknowledged 1", "acknowledged 1", "sent 2", "sent 2", "sent 1", "sent 1"],
    ]);
    await pong(second, ids[5] ?? "");
    expect((await statesOf(hub, ids)).map((state) => state.split(" ")[0])).toEqual(
      Array.from({ length: 6 }, () => "acknowledged"),
    );
    expect(await second.untilPong()).toEqual([]);
  });

  test("when it is replaced, whose late pong counts no more", async () => {
    await using hub = await startHub();
    await using first = await joinRawWorker(hub);
    const ids = await sendMany(hub, 2);
    await nextCommands(first, 2);
    await using second = await joinRawWorker(hub);
    first.frame({ opcode: OPCODE.pong, payload: ids[1] ?? "" });
    expect((await nextCommands(second, 2)).map(({ id }) => id)).toEqual(ids);
    expect(await second.untilPong()).toEqual([]);
    expect(await statesOf(hub, ids)).toEqual(["sent 2", "sent 2"]);
  });

  test("when it is lost without a word", async () => {
    await using hub = await startHub();
    const first = await joinRawWorker(hub);
    const ids = await sendMany(hub, 2);
    await nextCommands(first, 2);
    first.tcp.reset();
    await using second = await joinRawWorker(hub);
    expect((await nextCommands(second, 2)).map(({ id }) => id)).toEqual(ids);
  });

  test("as often as it takes", async () => {
    await using hub = await startHub();
    const [id = ""] = await sendMany(hub, 1);
    for (let attempt = 1; attempt <= 5; attempt++) {
      await using worker = await joinRawWorker(hub);
      expect(await nextCommand(worker)).toEqual({ text: text(1), id });
      expect(await statesOf(hub, [id])).toEqual([`sent ${attempt}`]);
      worker.close(1000);
      await worker.nextClose();
    }
  });

  test("that is left, of several side by side; new ones go to the newest", async () => {
    await using hub = await startHub({ env: { WORKER_POLICY: "shared" } });
    await using older = await joinRawWorker(hub);
    await using newer = await joinRawWorker(hub);
    const ids = await sendMany(hub, 2);
    expect((await nextCommands(newer, 2)).map(({ id }) => id)).toEqual(ids);
    expect(await older.untilPong()).toEqual([]);
    newer.close(1000);
    await newer.nextClose();
    expect((await nextCommands(older, 2)).map(({ id }) => id)).toEqual(ids);
  });
});

const vectraTest = testThatNeeds(VECTRA_WORKER_NEEDS, HAS_VECTRA_WORKER);

vectraTest("Vectra's worker, which knows nothing of acknowledgements, gives them", async () => {
  await using hub = await startHub();
  const early = await sendMany(hub, 3);
  await using worker = startVectraWorker(hub, ["--pings", "0"]);
  const frames: string[] = [];
  const untilCommands = async (count: number): Promise<void> => {
    while (frames.length < count) {
      const line = await worker.next();
      if (!("frame" in line)) throw new Error(`the worker has gone: ${JSON.stringify(line)}`);
      if (line.frame.includes("TRIGGER_")) frames.push(line.frame);
    }
  };
  await untilCommands(3);
  const late = await sendMany(hub, 2, 4);
  await untilCommands(5);
  expect(frames).toEqual([1, 2, 3, 4, 5].map(text));
  for (const id of [...early, ...late]) {
    while ((await stateOf(hub, id)).status !== "acknowledged") await Bun.sleep(5);
    expect(await stateOf(hub, id)).toEqual({ id, status: "acknowledged", attempts: 1 });
  }
});

test("a worker that only reads text, and pongs by its library, needs nothing else", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  const ids = await sendMany(hub, 100);
  for (let n = 1; n <= 100; n++) expect(await worker.next()).toBe(text(n));
  expect(await worker.untilPong()).toEqual([]);
  expect(await statesOf(hub, ids)).toEqual(Array.from({ length: 100 }, () => "acknowledged 1"));
});
