import { describe, expect, test } from "bun:test";
import { call, publish, publishLines, receiptOf } from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { encodeFrame, OPCODE } from "../support/frame.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { joinClient, joinRawWorker, joinWorker, OFFLINE, online } from "../support/parties.ts";
import type { RawSocket } from "../support/rawsocket.ts";
import { joinLiveSse, joinSse } from "../support/sse-stream.ts";
import { joinLive, joinStreamWorker } from "../support/streamclient.ts";

// Conflation by rule (PROTOCOL.md section 5), through the front door. Where a test is not about the end of a window, its
// window is a minute: what is held back comes out only when something makes it.

const env = { CONFLATE: "DOC_PROGRESS:doc_id:60000" };

const progress = (doc: number | string, n: number): string =>
  `{"type":"DOC_PROGRESS","doc_id":${JSON.stringify(doc)},"n":${n}}`;
const UNCOVERED = '{"type":"DOC_UPDATE"}';

/** Sends all in one piece, so that the hub reads all of them before any window can end. */
function sendAtOnce(worker: RawSocket, texts: readonly string[]): void {
  worker.tcp.write(Buffer.concat(texts.map((payload) => encodeFrame({ opcode: OPCODE.text, payload }))));
}

async function conflatedCount(hub: Hub): Promise<number> {
  const { body } = await call(hub, "/metrics");
  return Number(/^vectra_conflated_total (\d+)$/m.exec(body)?.[1]);
}

describe("of the messages with one key, in a window", () => {
  test("the first goes out at once, and the latest at its end; the others never", async () => {
    await using hub = await startHub({ env: { CONFLATE: "DOC_PROGRESS:doc_id:1000" } });
    await using worker = await joinStreamWorker(hub);
    await using client = await joinLive(hub);
    await using sse = await joinLiveSse(hub);
    const envelopes = [1, 2, 3, 4].map((n) => `{"type":"publish","ref":"${n}","data":${progress("a", n)}}`);
    sendAtOnce(worker.raw, envelopes);
    const first = await worker.next();
    expect(first).toMatchObject({ type: "ack", ref: "1" });
    // Nobody does anything now: the end of the window is what lets the latest out.
    const later = [await worker.next(), await worker.next(), await worker.next()];
    const [one, four] = await client.messages(2);
    expect([one?.data, four?.data]).toEqual([progress("a", 1), progress("a", 4)]);
    expect(first).toMatchObject({ id: one?.id });
    const acks = ["2", "3", "4"].map((ref) => ({ type: "ack", ref, id: four?.id ?? "" }));
    expect(later).toEqual(expect.arrayContaining(acks));
    expect(await sse.texts(2)).toEqual([progress("a", 1), progress("a", 4)]);
    expect(await conflatedCount(hub)).toBe(2);

    await using back = await joinSse(hub, { since: "earliest", types: "DOC_PROGRESS" });
    const { messages } = await back.untilLive();
    expect(messages.map(({ data }) => data)).toEqual([online(), progress("a", 1), progress("a", 4)]);
  });

  test("a backend's receipt comes with the cursor of the one that superseded it", async () => {
    await using hub = await startHub({ env });
    await using client = await joinLive(hub);
    receiptOf(await publish(hub, progress("a", 1)));
    const held = [2, 3, 4].map((n) => publish(hub, progress("a", n)));
    let answered = 0;
    for (const answer of held) void answer.then(() => (answered += 1));
    while ((await conflatedCount(hub)) < 2) await Bun.sleep(1);
    expect(answered).toBe(0);
    receiptOf(await publish(hub, UNCOVERED));
    const [, latest] = await client.messages(2);
    for (const answer of held) expect(receiptOf(await answer).ids).toEqual([latest?.id ?? ""]);
    expect(await client.texts(1)).toEqual([UNCOVERED]);
  });

  test("however many there are, each of them gets its acknowledgement", async () => {
    await using hub = await startHub({ env });
    await using worker = await joinStreamWorker(hub);
    const count = 100_000;
    const envelopes = Array.from(
      { length: count },
      (_, n) => `{"type":"publish","ref":"${n}","data":${progress("a", n)}}`,
    );
    sendAtOnce(worker.raw, envelopes);
    expect(await worker.next()).toMatchObject({ type: "ack", ref: "0" });
    expect(await worker.untilPong()).toEqual([]);
    receiptOf(await publish(hub, UNCOVERED));
    const refs = new Set<string>();
    while (refs.size < count - 1) {
      const frame = await worker.next();
      if (frame.type !== "ack") throw new Error(`${JSON.stringify(frame)} where an ack was due`);
      refs.add(frame.ref ?? "");
    }
    expect(await worker.untilPong()).toEqual([]);
  });

  test("each key has a window of its own, and 1 is not the same as the text 1", async () => {
    await using hub = await startHub({ env });
    await using worker = await joinRawWorker(hub);
    await using client = await joinClient(hub, online());
    const firsts = [progress("a", 1), progress("b", 1), progress(1, 1), progress("1", 1), progress("", 1)];
    sendAtOnce(worker, [...firsts, ...firsts]);
    await worker.untilPong();
    expect(await client.untilPong()).toEqual(firsts);
  });
});

describe("a message that no rule covers first publishes everything held back:", () => {
  const held = [progress("b", 2), progress("a", 2), progress("c", 2)];
  const covered = [progress("a", 1), progress("b", 1), progress("c", 1)];
  const uncovered: Record<string, string> = {
    "of another type": UNCOVERED,
    "without a type": '{"doc_id":"a"}',
    "of the type, without the key": '{"type":"DOC_PROGRESS","n":3}',
    "with a key that is null": '{"type":"DOC_PROGRESS","doc_id":null}',
    "with a key that is an object": '{"type":"DOC_PROGRESS","doc_id":{"a":1}}',
    "with a key that is a truth value": '{"type":"DOC_PROGRESS","doc_id":true}',
    "with the key further inside": '{"type":"DOC_PROGRESS","data":{"doc_id":"a"}}',
    "of the type in other letters": '{"type":"doc_progress","doc_id":"a"}',
  };
  test.each(Object.keys(uncovered))("%s", async (name) => {
    const text = uncovered[name] ?? "";
    await using hub = await startHub({ env });
    await using worker = await joinRawWorker(hub);
    await using client = await joinClient(hub, online());
    await using sse = await joinLiveSse(hub);
    // Twice: such a message opens no window of its own. What is held back goes out in the order in which it came.
    sendAtOnce(worker, [...covered, ...held, text, text]);
    await worker.untilPong();
    const expected = [...covered, ...held, text, text];
    expect(await client.untilPong()).toEqual(expected);
    expect(await sse.texts(expected.length)).toEqual(expected);

    // The windows run on.
    sendAtOnce(worker, [progress("a", 3)]);
    await worker.untilPong();
    expect(await client.untilPong()).toEqual([]);
  });

  test("the worker's status, too", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    const worker = await joinWorker(hub);
    for (const n of [1, 2, 3]) worker.send(progress("a", n));
    await worker.untilPong();
    expect(await client.untilPong()).toEqual([online(), progress("a", 1)]);
    await worker.close();
    expect([await client.next(), await client.next()]).toEqual([progress("a", 3), OFFLINE]);
  });
});

test("a batch has a cursor for each of its messages, superseded ones that of their successor", async () => {
  await using hub = await startHub({ env });
  await using client = await joinLive(hub);
  const lines = [progress("a", 1), progress("a", 2), progress("b", 1), progress("a", 3), UNCOVERED];
  const { ids } = receiptOf(await publishLines(hub, lines));
  const published = await client.messages(4);
  expect(published.map(({ data }) => data)).toEqual([lines[0], lines[2], lines[3], lines[4]] as string[]);
  const [a1, b1, a3, last] = published.map(({ id }) => id);
  expect(ids).toEqual([a1, a3, b1, a3, last] as string[]);
});

test("whatever the order, nothing overtakes its own key, and nothing crosses an uncovered message", async () => {
  await using hub = await startHub({ env: { CONFLATE: "DOC_PROGRESS:doc_id:10,CONNECTOR:id:25" } });
  await using worker = await joinRawWorker(hub);
  await using client = await joinClient(hub, online());
  const sent: string[] = [];
  for (let n = 0; n < 3_000; n++) {
    const covered = n % 7 === 0 ? `{"type":"CONNECTOR","id":${n % 2},"n":${n}}` : progress(n % 5, n);
    const text = n % 23 === 0 ? `{"type":"UNCOVERED","n":${n}}` : covered;
    sent.push(text);
    worker.text(text);
    // Lets windows end in between.
    if (n % 100 === 0) await worker.untilPong();
  }
  worker.text('{"type":"END"}');
  const seen: string[] = [];
  for (let text = ""; text !== '{"type":"END"}'; seen.push(text)) text = await client.next();

  const keyOf = (text: string): string => text.replace(/"n":\d+/, "");
  const isCovered = (text: string): boolean => !text.includes("UNCOVERED") && !text.includes("END");
  let at = 0;
  const latestSent = new Map<string, string>();
  const latestSeen = new Map<string, string>();
  for (const text of seen) {
    // What was seen is a part of what was sent; of each key in order, since each text is sent once.
    if (isCovered(text)) {
      const position = sent.indexOf(text);
      expect(position).toBeGreaterThan(sent.indexOf(latestSeen.get(keyOf(text)) ?? ""));
      latestSeen.set(keyOf(text), text);
      continue;
    }
    // And at an uncovered one, the latest of each key that was sent before it has been seen.
    for (; at < sent.length && sent[at] !== text; at++) {
      const earlier = sent[at] ?? "";
      expect(isCovered(earlier)).toBe(true);
      latestSent.set(keyOf(earlier), earlier);
    }
    at += 1;
    expect(latestSeen).toEqual(latestSent);
  }
  expect(seen.length).toBeLessThan(sent.length);
});

test("a drain publishes what is held back, and everybody who waits for a receipt gets it", async () => {
  await using hub = await startHub({ env });
  await using worker = await joinStreamWorker(hub);
  await using client = await joinLive(hub);
  await using sse = await joinLiveSse(hub);
  receiptOf(await publish(hub, progress("a", 1)));
  worker.send(`{"type":"publish","ref":"1","data":${progress("b", 1)}}`);
  worker.send(`{"type":"publish","ref":"2","data":${progress("b", 2)}}`);
  expect(await worker.untilPong()).toMatchObject([{ type: "ack", ref: "1" }]);
  const held = [2, 3].map((n) => publish(hub, progress("a", n)));
  while ((await conflatedCount(hub)) < 1) await Bun.sleep(1);

  hub.kill("SIGTERM");
  const [, , third, fourth] = await client.messages(4);
  expect(third?.data).toBe(progress("b", 2));
  expect(await worker.next()).toEqual({ type: "ack", ref: "2", id: third?.id ?? "" });
  for (const answer of held) expect(receiptOf(await answer).ids).toEqual([fourth?.id ?? ""]);
  expect((await sse.messages(4)).map(({ id }) => id).slice(2)).toEqual([third?.id ?? "", fourth?.id ?? ""]);
  await sse.nextEvent("goodbye");
  expect(await within(hub.exited, "exit")).toBe(0);
});

test("without a rule everything is published", async () => {
  await using hub = await startHub();
  await using worker = await joinRawWorker(hub);
  await using client = await joinClient(hub, online());
  const all = Array.from({ length: 20 }, (_, n) => progress("a", n));
  sendAtOnce(worker, all);
  await worker.untilPong();
  expect(await client.untilPong()).toEqual(all);
});
