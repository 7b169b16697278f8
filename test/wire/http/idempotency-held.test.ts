import { describe, expect, test } from "bun:test";
import { expectProblem, publish, publishLines, receiptOf } from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, online } from "../../support/parties.ts";
import { joinStreamWorker } from "../../support/streamclient.ts";

// Idempotency-Key (PROTOCOL.md sections 4 and 5): a repeat waits with what it repeats.

const KEY = { "idempotency-key": "order-4711/~!" };

describe("a publish that conflation holds back", () => {
  // A window far longer than a test: what is held back comes out only when something makes it.
  const env = { CONFLATE: "P:k:60000" };
  const [first, held, newer] = [1, 2, 3].map((n) => `{"type":"P","k":1,"n":${n}}`) as [
    string,
    string,
    string,
  ];

  test("keeps its repeats waiting, and all get one answer", async () => {
    await using hub = await startHub({ env });
    await using worker = await joinStreamWorker(hub);
    await using client = await joinClient(hub, online());
    receiptOf(await publish(hub, first));
    worker.send(`{"type":"publish","ref":"1","key":"k1","data":${held}}`);
    expect(await worker.untilPong()).toEqual([]);

    let answered = 0;
    const repeats = Array.from({ length: 5 }, async () => {
      const answer = await publish(hub, held, { "idempotency-key": "k1" });
      answered += 1;
      return receiptOf(answer);
    });
    expectProblem(await publish(hub, '{"n":3}', { "idempotency-key": "k1" }), 422, "key_mismatch");
    expect(answered).toBe(0);
    expect(await client.untilPong()).toEqual([first]);

    receiptOf(await publish(hub, '{"type":"UNCOVERED"}'));
    const ack = await worker.next();
    expect(ack).toMatchObject({ type: "ack", ref: "1" });
    for (const { ids } of await Promise.all(repeats)) expect(ack).toMatchObject({ id: ids[0] });
    expect(await client.untilPong()).toEqual([held, '{"type":"UNCOVERED"}']);
  });

  test("several times at once is published once", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    receiptOf(await publish(hub, first));
    let waiting = 10;
    const all = Array.from({ length: waiting }, async () => {
      const answer = await publish(hub, held, KEY);
      waiting -= 1;
      return answer;
    });
    // Nothing says that they have arrived; whenever they do, the next uncovered message lets the first of them out.
    while (waiting > 0) receiptOf(await publish(hub, '{"type":"UNCOVERED"}'));
    const bodies = (await Promise.all(all)).map(({ body }) => body);
    expect(new Set(bodies).size).toBe(1);
    expect((await client.untilPong()).filter((text) => text === held)).toHaveLength(1);
  });

  test("and supersedes has the cursor of the one that took its place as its answer", async () => {
    await using hub = await startHub({ env });
    await using worker = await joinStreamWorker(hub);
    await using client = await joinClient(hub, online());
    receiptOf(await publish(hub, first));
    worker.send(`{"type":"publish","ref":"1","key":"k1","data":${held}}`);
    worker.send(`{"type":"publish","ref":"2","data":${newer}}`);
    expect(await worker.untilPong()).toEqual([]);
    receiptOf(await publish(hub, '{"type":"UNCOVERED"}'));
    expect(await client.untilPong()).toEqual([first, newer, '{"type":"UNCOVERED"}']);

    const [one, two] = [await worker.next(), await worker.next()];
    expect([one, two]).toMatchObject([{ type: "ack" }, { type: "ack" }]);
    const { ids } = receiptOf(await publish(hub, held, { "idempotency-key": "k1" }));
    for (const ack of [one, two]) expect(ack).toMatchObject({ id: ids[0] });
    expect(await client.untilPong()).toEqual([]);
  });

  test("a batch under a key goes out whole, at once", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    const { ids } = receiptOf(await publishLines(hub, [first, held, newer], KEY));
    expect(ids).toHaveLength(3);
    expect(ids[1]).toBe(ids[2] ?? "");
    expect(await client.untilPong()).toEqual([first, newer]);
  });
});
