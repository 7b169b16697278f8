import { describe, expect, test } from "bun:test";
import { expectProblem, publish as postPublish } from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { OFFLINE, online } from "../../support/parties.ts";
import { numbered, publish } from "../../support/publish.ts";
import { joinLive, joinStreamWorker, type StreamSocket } from "../../support/streamclient.ts";

// PROTOCOL.md section 3: what a stream-framed worker publishes, and what it is told.

/** The next frame, which must be an ack. */
async function nextAck(worker: StreamSocket): Promise<{ ref?: string; id: string }> {
  const frame = await worker.next();
  if (frame.type !== "ack") throw new Error(`${JSON.stringify(frame)} where an ack was due`);
  return frame;
}

describe("register", () => {
  test("sets the metadata, as the worker wrote it, and tells everybody", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    const first = '{ "host":"h1","pid":12345678901234567890 }';
    worker.send(`{"type":"register","metadata":${first}}`);
    worker.send(`{"metadata":{"host":"h2"},"type":"register","more":[{}]}`);
    worker.send(`{"type":"register","\\u006detadata":{"host":"h3"}}`);
    worker.send('{"type":"register"}');
    expect(await worker.untilPong()).toEqual([]);
    expect(await client.texts(5)).toEqual([
      online(),
      online(first),
      online('{"host":"h2"}'),
      online('{"host":"h3"}'),
      online(),
    ]);
  });

  test.each(['"h1"', "[]", "null", "7", JSON.stringify({ fill: "x".repeat(16_384) })])(
    "with metadata that is no object of at most 16 KiB counts as {}, with a warning",
    async (metadata) => {
      await using hub = await startHub();
      await using worker = await joinStreamWorker(hub);
      worker.send(`{"type":"register","metadata":{"host":"h1"}}`);
      await worker.untilPong();
      await using client = await joinLive(hub);
      worker.send(`{"type":"register","metadata":${metadata}}`);
      expect(await client.texts(1)).toEqual([online()]);
      await hub.waitForLog("the warning", (line) => line.level === "warning" && /metadata/i.test(line.msg));
    },
  );

  test("is not needed to publish", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    worker.send({ type: "publish", ref: "1", data: { n: 1 } });
    await nextAck(worker);
    expect(await client.texts(2)).toEqual([online(), '{"n":1}']);
  });
});

describe("publish", () => {
  test("is acknowledged with its ref and the cursor that everybody sees", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    await client.messages(1);
    for (const ref of ["7", "", "0", 'odd "\\\n🔑', "x".repeat(128), "🔑".repeat(128)]) {
      worker.send({ type: "publish", ref, data: { ref } });
      const [message] = await client.messages(1);
      expect(await worker.next()).toEqual({ type: "ack", ref, id: message?.id as string });
      expect(message?.data).toBe(JSON.stringify({ ref }));
    }
    worker.send('{"type":"publish","data":{"n":1}}');
    const [message] = await client.messages(1);
    expect(await worker.next()).toEqual({ type: "ack", id: message?.id as string });
    await using late = await joinLive(hub, { since: message?.id as string });
    expect(late.hello).toMatchObject({ resumed: true, cursor: message?.id });
  });

  // The contract asks for data as the last member; what is forwarded is its text wherever it stands.
  const envelopes: Readonly<Record<string, readonly [envelope: string, data: string]>> = {
    "with spacing and numbers that no parser keeps": [
      '{"type":"publish","ref":"1","data":{ "n" : 12345678901234567890, "f":1.0,\n"e":1E2 }}',
      '{ "n" : 12345678901234567890, "f":1.0,\n"e":1E2 }',
    ],
    "with space around it": ['{"type":"publish","ref":"1","data" : \r\n\t {"n":1} \n }', '{"n":1}'],
    first: ['{"data":{"n":1,"s":"}]\\"data\\":"},"type":"publish","ref":"1"}', '{"n":1,"s":"}]\\"data\\":"}'],
    "in the middle": ['{"type":"publish","data":{"n":[1,{"data":2}]},"ref":"1"}', '{"n":[1,{"data":2}]}'],
    "under an escaped name": ['{"\\u0074ype":"publish","ref":"1","d\\u0061t\\u0061":{"n":1}}', '{"n":1}'],
    "twice, where the last one counts": [
      '{"type":"publish","ref":"1","data":{"n":1},"data":{"n":2}}',
      '{"n":2}',
    ],
    "twice, under two spellings": [
      '{"type":"publish","ref":"1","data":{"n":1},"\\u0064ata":{"n":2}}',
      '{"n":2}',
    ],
    "behind decoys": [
      '{"type":"publish","x":"\\"data\\":{\\"n\\":0}","y":{"data":{"n":0}},"ref":"1","data":{"n":1}}',
      '{"n":1}',
    ],
    "beside members that a later version may know": [
      '{"type":"publish","v":2,"ref":"1","ttl":null,"data":{"n":1}}',
      '{"n":1}',
    ],
    "with duplicate members of its own": [
      '{"type":"publish","ref":"1","data":{"a":1,"a":2}}',
      '{"a":1,"a":2}',
    ],
    "with escapes and characters of every size": [
      '{"type":"publish","ref":"1","data":{"s":"\\ud83d\\ude00 é 🔑 \\\\\\" \\ud800"}}',
      '{"s":"\\ud83d\\ude00 é 🔑 \\\\\\" \\ud800"}',
    ],
    "with 5,000 levels": [
      `{"type":"publish","ref":"1","data":{"d":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`,
      `{"d":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
    ],
    empty: ['{"type":"publish","ref":"1","data":{}}', "{}"],
  };

  test.each(Object.keys(envelopes))("forwards data %s byte for byte", async (name) => {
    const [envelope = "", data = ""] = envelopes[name] ?? [];
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    worker.send(envelope);
    expect(await nextAck(worker)).toMatchObject({ ref: "1" });
    expect(await client.texts(2)).toEqual([online(), data]);
    expect(await client.untilPong()).toEqual([]);
  });

  test("2,000 in one go are acknowledged in order, and enter the stream in order", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    await client.messages(1);
    const texts = numbered(2_000);
    for (const [ref, text] of texts.entries())
      worker.send(`{"type":"publish","ref":"${ref}","data":${text}}`);
    const messages = await client.messages(2_000);
    expect(messages.map(({ data }) => data)).toEqual(texts);
    const acks = (await worker.untilPong()).map((frame) => (frame.type === "ack" ? frame : undefined));
    expect(acks.map((ack) => ack?.ref)).toEqual(texts.map((_, ref) => String(ref)));
    expect(acks.map((ack) => ack?.id)).toEqual(messages.map(({ id }) => id));
  });

  test("reaches no worker, itself or another", async () => {
    await using hub = await startHub({ env: { WORKER_POLICY: "shared" } });
    await using one = await joinStreamWorker(hub);
    await using two = await joinStreamWorker(hub);
    one.send({ type: "publish", ref: "1", data: { n: 1 } });
    await nextAck(one);
    await publish(hub, '{"n":2}');
    expect(await one.untilPong()).toEqual([]);
    expect(await two.untilPong()).toEqual([]);
  });
});

describe("a key", () => {
  const keyed = (ref: string, key: string, data: string): string =>
    `{"type":"publish","ref":"${ref}","key":"${key}","data":${data}}`;

  test("makes a resend harmless: the same ack, and the message is in the stream once", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    const worker = await joinStreamWorker(hub);
    worker.send(keyed("1", "k1", '{"n":1}'));
    worker.send(keyed("2", "k1", '{"n":1}'));
    worker.send(keyed("3", "k2", '{"n":1}'));
    const acks = [await nextAck(worker), await nextAck(worker), await nextAck(worker)];
    expect(acks.map(({ ref }) => ref)).toEqual(["1", "2", "3"]);
    expect(acks[1]?.id).toBe(acks[0]?.id as string);
    expect(acks[2]?.id).not.toBe(acks[0]?.id as string);
    await worker[Symbol.asyncDispose]();
    expect(await client.texts(4)).toEqual([online(), '{"n":1}', '{"n":1}', OFFLINE]);

    // It lost the acknowledgement with its connection, and asks again from another.
    await using again = await joinStreamWorker(hub);
    again.send(keyed("4", "k1", '{"n":1}'));
    expect(await nextAck(again)).toMatchObject({ ref: "4", id: acks[0]?.id as string });
    expect(await client.texts(1)).toEqual([online()]);
    expect(await client.untilPong()).toEqual([]);
  });

  test("is the same as Idempotency-Key over HTTP", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    worker.send(keyed("1", "k1", '{"n":1}'));
    const { id } = await nextAck(worker);
    expect((await publish(hub, '{"n":1}', { "idempotency-key": "k1" })).ids).toEqual([id]);
    const { ids } = await publish(hub, '{"n":2}', { "idempotency-key": "k2" });
    worker.send(keyed("2", "k2", '{"n":2}'));
    expect(await nextAck(worker)).toMatchObject({ ref: "2", id: ids[0] as string });
    expect(await client.texts(3)).toEqual([online(), '{"n":1}', '{"n":2}']);
    expect(await client.untilPong()).toEqual([]);
  });

  test("for another message is an error with the ref, and publishes nothing", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    worker.send(keyed("1", "k1", '{"n":1}'));
    worker.send(keyed("2", "k1", '{"n":1.0}'));
    await nextAck(worker);
    expect(await worker.next()).toEqual({ type: "error", ref: "2", reason: expect.stringContaining("key") });
    const answer = await postPublish(hub, '{"n":2}', { "idempotency-key": "k1" });
    expectProblem(answer, 422, "key_mismatch");
    expect(await client.texts(2)).toEqual([online(), '{"n":1}']);
    expect(await client.untilPong()).toEqual([]);
  });
});

describe("a stream-framed worker", () => {
  test("is replaced with 4001, and offline when it leaves", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using first = await joinStreamWorker(hub);
    await using second = await joinStreamWorker(hub);
    expect(await first.untilClose()).toMatchObject({ frames: [], code: 4001 });
    second.send({ type: "publish", ref: "1", data: { n: 1 } });
    await nextAck(second);
    expect(await client.texts(3)).toEqual([online(), online(), '{"n":1}']);
    await second.leave();
    expect(await client.texts(1)).toEqual([OFFLINE]);
  });
});
