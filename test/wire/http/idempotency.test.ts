import { describe, expect, test } from "bun:test";
import {
  acceptedOf,
  expectProblem,
  publish,
  publishLines,
  receiptOf,
  sendCommand,
  stateOf,
} from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, joinRawWorker, joinWorker, online } from "../../support/parties.ts";
import { numbered } from "../../support/publish.ts";
import { joinStreamWorker } from "../../support/streamclient.ts";

// Idempotency-Key (PROTOCOL.md section 4): within 10 minutes a repeat returns the first answer and does nothing.

const KEY = { "idempotency-key": "order-4711/~!" };

describe("a publish repeated under its key", () => {
  test("gets the first answer, word for word, and publishes nothing", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const first = await publish(hub, '{"n":1}', KEY);
    receiptOf(first);
    await publish(hub, '{"n":2}');
    await using _other = await joinClient(hub);
    for (let n = 0; n < 3; n++) {
      const repeat = await publish(hub, '{"n":1}', KEY);
      expect({ status: repeat.status, body: repeat.body }).toEqual({ status: 202, body: first.body });
    }
    expect(await client.untilPong()).toEqual(['{"n":1}', '{"n":2}']);
  });

  test("does the same for a batch", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const lines = numbered(500);
    const first = await publishLines(hub, lines, KEY);
    expect(receiptOf(first).ids).toHaveLength(500);
    expect((await publishLines(hub, lines, KEY)).body).toBe(first.body);
    expect(await client.untilPong()).toEqual(lines);
  });

  test("as another body is 422, and the first answer stands", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const first = await publish(hub, '{"n":1}', KEY);
    for (const other of ['{"n":2}', '{"n":1} ', '{"n":1.0}', "{}"]) {
      expectProblem(await publish(hub, other, KEY), 422, "key_mismatch");
    }
    expectProblem(await publishLines(hub, ['{"n":1}', '{"n":1}'], KEY), 422, "key_mismatch");
    expect((await publish(hub, '{"n":1}', KEY)).body).toBe(first.body);
    expect(await client.untilPong()).toEqual(['{"n":1}']);
  });

  test("twenty times at once is published once, and all get one answer", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const all = await Promise.all(Array.from({ length: 20 }, () => publish(hub, '{"n":1}', KEY)));
    for (const answer of all) receiptOf(answer);
    expect(new Set(all.map(({ body }) => body)).size).toBe(1);
    expect(await client.untilPong()).toEqual(['{"n":1}']);
  });

  test("under another key, or none, is published again", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await publish(hub, '{"n":1}', KEY);
    await publish(hub, '{"n":1}', { "idempotency-key": KEY["idempotency-key"].toUpperCase() });
    await publish(hub, '{"n":1}');
    await publish(hub, '{"n":1}');
    expect(await client.untilPong()).toHaveLength(4);
  });

  test("a refused one leaves its key to a better one", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    expectProblem(await publish(hub, '{"n":', KEY), 400, "invalid_json");
    expectProblem(await publishLines(hub, ["{}", "[]"], KEY), 400, "not_object");
    receiptOf(await publish(hub, '{"n":1}', KEY));
    expect(await client.untilPong()).toEqual(['{"n":1}']);
  });
});

describe("a command repeated under its key", () => {
  test("gets the first answer whatever has become of it, and is sent once", async () => {
    await using hub = await startHub();
    const first = await sendCommand(hub, '{"type":"T"}', { headers: KEY });
    const { id } = acceptedOf(first);
    expect(acceptedOf(first).status).toBe("queued");
    await using worker = await joinWorker(hub);
    expect(await worker.next()).toBe('{"type":"T"}');
    const repeat = await sendCommand(hub, '{"type":"T"}', { headers: KEY });
    expect({ status: repeat.status, body: repeat.body }).toEqual({ status: 202, body: first.body });
    expect(await worker.untilPong()).toEqual([]);
    expect((await stateOf(hub, id)).attempts).toBe(1);
  });

  test("as another body is 422, and is not sent", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    acceptedOf(await sendCommand(hub, '{"type":"T"}', { headers: KEY }));
    expectProblem(await sendCommand(hub, '{"type":"T" }', { headers: KEY }), 422, "key_mismatch");
    expect(await worker.untilPong()).toEqual(['{"type":"T"}']);
  });

  test("twenty times at once is sent once, and all get one answer", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    const sends = Array.from({ length: 20 }, () => sendCommand(hub, '{"type":"T"}', { headers: KEY }));
    const ids = (await Promise.all(sends)).map((answer) => acceptedOf(answer).id);
    expect(new Set(ids).size).toBe(1);
    expect(await worker.untilPong()).toEqual(['{"type":"T"}']);
  });

  test("a refused one leaves its key to a later one", async () => {
    await using hub = await startHub();
    const options = { headers: KEY, query: "?if_offline=reject" };
    expectProblem(await sendCommand(hub, '{"type":"T"}', options), 409, "offline");
    await using worker = await joinRawWorker(hub, { pings: "answer" });
    expect(acceptedOf(await sendCommand(hub, '{"type":"T"}', options)).status).toBe("sent");
    expect(await worker.untilPong()).toEqual(['{"type":"T"}']);
  });
});

describe("a key is one key", () => {
  test("for both calls: a publish is no repeat of a command, nor the other way round", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    receiptOf(await publish(hub, '{"n":1}', { "idempotency-key": "a" }));
    expectProblem(
      await sendCommand(hub, '{"n":1}', { headers: { "idempotency-key": "a" } }),
      422,
      "key_mismatch",
    );
    acceptedOf(await sendCommand(hub, '{"n":2}', { headers: { "idempotency-key": "b" } }));
    expectProblem(await publish(hub, '{"n":2}', { "idempotency-key": "b" }), 422, "key_mismatch");
    expect(await client.untilPong()).toEqual(['{"n":1}']);
    expect(await worker.untilPong()).toEqual(['{"n":2}']);
  });

  test("for commands and what a worker publishes, too", async () => {
    await using hub = await startHub();
    await using worker = await joinStreamWorker(hub);
    await using client = await joinClient(hub, online());
    worker.send('{"type":"publish","ref":"1","key":"a","data":{"n":1}}');
    expect(await worker.next()).toMatchObject({ type: "ack", ref: "1" });
    expectProblem(
      await sendCommand(hub, '{"n":1}', { headers: { "idempotency-key": "a" } }),
      422,
      "key_mismatch",
    );
    acceptedOf(await sendCommand(hub, '{"n":2}', { headers: { "idempotency-key": "b" } }));
    worker.send('{"type":"publish","ref":"2","key":"b","data":{"n":2}}');
    expect(await worker.next()).toMatchObject({ type: "error", ref: "2" });
    expect(await client.untilPong()).toEqual(['{"n":1}']);
  });
});
