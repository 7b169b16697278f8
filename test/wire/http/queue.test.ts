import { describe, expect, test } from "bun:test";
import {
  acceptedOf,
  call,
  detailOf,
  expectProblem,
  sendCommand,
  stateOf,
  untilStatus,
} from "../../support/api.ts";
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
import { padded, publish } from "../../support/publish.ts";

// Commands that wait (PROTOCOL.md section 4): for the next worker, in order, at most COMMAND_QUEUE, at most COMMAND_TTL_MS.

const text = (n: number): string => `{"type":"TRIGGER_CONNECTOR_SYNC","id":${n}}`;

async function send(hub: Hub, n: number, query = ""): Promise<{ id: string; status: "sent" | "queued" }> {
  return acceptedOf(await sendCommand(hub, text(n), { query }));
}

describe("while no worker is online", () => {
  test("commands are queued, and given to the next one in order", async () => {
    await using hub = await startHub();
    const ids: string[] = [];
    for (let n = 0; n < 50; n++) {
      const { id, status } = await send(hub, n);
      expect(status).toBe("queued");
      expect(await stateOf(hub, id)).toEqual({ id, status: "queued", attempts: 0 });
      ids.push(id);
    }
    await using worker = await joinWorker(hub);
    for (let n = 0; n < 50; n++) expect(await worker.next()).toBe(text(n));
    expect(await worker.untilPong()).toEqual([]);
    for (const id of ids) expect(await stateOf(hub, id)).toEqual({ id, status: "acknowledged", attempts: 1 });
  });

  test("if_offline=queue says what is so anyway, and reject asks for 409", async () => {
    await using hub = await startHub();
    expect((await send(hub, 1, "?if_offline=queue")).status).toBe("queued");
    expectProblem(await sendCommand(hub, text(2), { query: "?if_offline=reject" }), 409, "offline");
    await using worker = await joinWorker(hub);
    expect((await send(hub, 3, "?if_offline=reject")).status).toBe("sent");
    expect(await worker.untilPong()).toEqual([text(1), text(3)]);
  });

  test("but its grace runs, they queue, also those that would rather be rejected", async () => {
    await using hub = await startHub({ env: { WORKER_OFFLINE_GRACE_MS: "600000" } });
    await using client = await joinClient(hub);
    const first = await joinWorker(hub);
    expect(await client.next()).toBe(online());
    await first.close();
    while (JSON.parse((await call(hub, "/api/v1/worker")).body).conn_id !== null);
    expect((await send(hub, 1)).status).toBe("queued");
    expect((await send(hub, 2, "?if_offline=reject")).status).toBe("queued");
    await using second = await joinWorker(hub);
    expect(await second.next()).toBe(text(1));
    expect(await second.next()).toBe(text(2));
    expect(await client.untilPong()).toEqual([online()]);
  });

  test("and its grace has run out, reject is 409 again", async () => {
    await using hub = await startHub({ env: { WORKER_OFFLINE_GRACE_MS: "50" } });
    await using client = await joinClient(hub);
    const worker = await joinWorker(hub);
    await worker.close();
    expect(await client.next()).toBe(online());
    expect(await client.next()).toBe(OFFLINE);
    expectProblem(await sendCommand(hub, text(1), { query: "?if_offline=reject" }), 409, "offline");
  });
});

describe("after COMMAND_TTL_MS", () => {
  test("a queued command has expired, and no worker gets it", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "100" } });
    const { id } = await send(hub, 1);
    expect(await untilStatus(hub, id, "expired")).toEqual({ id, status: "expired", attempts: 0 });
    await using worker = await joinWorker(hub);
    expect(await worker.untilPong()).toEqual([]);
    expect(await stateOf(hub, id)).toEqual({ id, status: "expired", attempts: 0 });
  });

  test("so has one that was sent and not acknowledged; its late pong changes nothing", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "100" } });
    await using worker = await joinRawWorker(hub, { pings: "ignore" });
    const { id } = await send(hub, 1);
    expect(await worker.nextText()).toBe(text(1));
    expect(await untilStatus(hub, id, "expired")).toEqual({ id, status: "expired", attempts: 1 });
    worker.frame({ opcode: OPCODE.pong, payload: id });
    expect(await worker.untilPong()).toEqual([]);
    expect((await stateOf(hub, id)).status).toBe("expired");
    await using next = await joinWorker(hub);
    expect(await next.untilPong()).toEqual([]);
  });

  test("an acknowledged one is still acknowledged", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "2000" } });
    await using worker = await joinWorker(hub);
    const acknowledged = await send(hub, 1);
    expect(await worker.next()).toBe(text(1));
    await untilStatus(hub, acknowledged.id, "acknowledged");
    await worker.close();
    // Another one that expires shows that the time has passed.
    await untilStatus(hub, (await send(hub, 2)).id, "expired");
    expect((await stateOf(hub, acknowledged.id)).status).toBe("acknowledged");
  });
});

describe("a full queue", () => {
  async function expectFull(hub: Hub, n: number): Promise<void> {
    const answer = await sendCommand(hub, text(n));
    expectProblem(answer, 503, "queue_full");
    expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    expect(detailOf(answer)).toContain("COMMAND_QUEUE");
  }

  test("is 503 with Retry-After, and what is in it is kept", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "3" } });
    for (let n = 1; n <= 2; n++) await send(hub, n);
    const { id } = await send(hub, 3);
    await expectFull(hub, 4);
    await expectFull(hub, 5);
    await using worker = await joinWorker(hub);
    expect(await worker.untilPong()).toEqual([1, 2, 3].map(text));
    await untilStatus(hub, id, "acknowledged");
    await send(hub, 6);
    expect(await worker.next()).toBe(text(6));
  });

  test("counts the unacknowledged ones, and an acknowledgement makes room", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "3" } });
    await using worker = await joinRawWorker(hub, { pings: "ignore" });
    const ids: string[] = [];
    for (let n = 1; n <= 3; n++) ids.push((await send(hub, n)).id);
    await expectFull(hub, 4);
    worker.frame({ opcode: OPCODE.pong, payload: ids[1] ?? "" });
    expect(await worker.untilPong()).toEqual([1, 2, 3].map(text));
    await send(hub, 5);
    await send(hub, 6);
    await expectFull(hub, 7);
    expect(await worker.untilPong()).toEqual([text(5), text(6)]);
  });

  test("gets room by what expires", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "1", COMMAND_TTL_MS: "100" } });
    const { id } = await send(hub, 1);
    await untilStatus(hub, id, "expired");
    expect((await send(hub, 2)).status).toBe("queued");
  });

  test("answers a repeat as ever, and a refusal uses up no key", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "1" } });
    const first = await sendCommand(hub, text(1), { headers: { "idempotency-key": "a" } });
    const headers = { "idempotency-key": "b" };
    expectProblem(await sendCommand(hub, text(2), { headers }), 503, "queue_full");
    expect((await sendCommand(hub, text(1), { headers: { "idempotency-key": "a" } })).body).toBe(first.body);
    await using worker = await joinWorker(hub);
    expect(await worker.untilPong()).toEqual([text(1)]);
    await untilStatus(hub, acceptedOf(first).id, "acknowledged");
    acceptedOf(await sendCommand(hub, text(2), { headers }));
    expect(await worker.next()).toBe(text(2));
  });

  test("is no reason to refuse a publish", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "1" } });
    await send(hub, 1);
    await using client = await joinClient(hub);
    await publish(hub, "{}");
    expect(await client.next()).toBe("{}");
  });
});

describe("a worker that reads slowly", () => {
  // The least that the default MAX_MESSAGE_BYTES allows, and the default.
  test.each(["1048576", "4194304"])(
    "gets a backlog of 40 MB in order, and is not closed as too slow (SLOW_CONSUMER_BYTES=%s)",
    async (slowBytes) => {
      await using hub = await startHub({ env: { SLOW_CONSUMER_BYTES: slowBytes } });
      const commands = [...padded(20, 900_000), ...padded(20, 1_040_000, 20)];
      const ids: string[] = [];
      for (const command of commands) ids.push(acceptedOf(await sendCommand(hub, command)).id);
      await using worker = await joinRawWorker(hub, { pings: "answer" });
      worker.tcp.pause();

      // A client that really is too slow makes the hub look for such.
      await using stalled = await joinRawClient(hub, online());
      stalled.tcp.pause();
      const isClosed = hub.waitForLog("the slow client", ({ msg }) => msg === "Too slow for the stream");
      let isOver = false;
      void isClosed.then(() => {
        isOver = true;
      });
      while (!isOver) await publish(hub, padded(1, 500_000)[0] ?? "");
      await isClosed;

      worker.tcp.resume();
      for (const command of commands) {
        if ((await worker.nextText()) !== command) throw new Error("another command was due");
      }
      expect(await worker.untilPong()).toEqual([]);
      for (const id of ids) {
        expect(await stateOf(hub, id)).toEqual({ id, status: "acknowledged", attempts: 1 });
      }
    },
  );
});
