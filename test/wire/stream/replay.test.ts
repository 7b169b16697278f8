import { describe, expect, test } from "bun:test";
import { type Hub, type HubEnv, startHub } from "../../support/hub.ts";
import { joinRawWorker, online } from "../../support/parties.ts";
import { numbered, padded, publish, publishAll } from "../../support/publish.ts";
import { joinLive, joinStream, type StreamClient } from "../../support/streamclient.ts";
import type { Message } from "../../support/streamframe.ts";

// PROTOCOL.md section 3, "Resume": a replay is paced by its reader, stalls nobody else, and has no gap at the seam.

const KILOBYTE = 1_000;
/** Far more than the kernel's buffers take of a connection that is not read. */
const LARGE = 20_000;

/** Everything up to `count` messages, over the seam; exactly one `live` is among it. */
async function readOver(client: StreamClient, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  let seams = 0;
  while (messages.length < count || seams === 0) {
    const frame = await client.next();
    if (frame.type === "message") messages.push(frame);
    else if (frame.type === "live") seams++;
    else if (frame.type !== "position") throw new Error(`${JSON.stringify(frame)} in a replay`);
  }
  expect(seams).toBe(1);
  return messages;
}

/** Lets so much time pass that a connection which is not read is certainly backed up. */
async function untilBackedUp(hub: Hub): Promise<void> {
  await using clock = await joinLive(hub, { types: "NOBODY_SENDS_THIS" });
  await clock.raw.waitForPings(4);
}

const FAST_HEARTBEAT: HubEnv = { HEARTBEAT_INTERVAL_MS: "100" };

describe("a large history", () => {
  test("is replayed whole and in order while more is published, and nothing is missing or double at the seam", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "40000" } });
    await using worker = await joinRawWorker(hub);
    const history = padded(10_000, KILOBYTE);
    const ids = await publishAll(hub, history);
    // A receipt may come before all of its batch is live: whoever resumes from it starts behind it.
    await using witness = await joinLive(hub, { since: ids.at(-1) as string });
    await using client = await joinStream(hub, { since: "earliest" });

    // Publishing goes on until the client is live, and a little longer.
    let isLive = false;
    let published = 10_000;
    const publishing = (async () => {
      for (let more = 20; more > 0; more -= isLive ? 1 : 0) {
        worker.text(JSON.stringify({ type: "DOC_PROGRESS", n: published++ }));
        const receipt = publish(hub, numbered(3, published));
        published += 3;
        ids.push(...(await receipt).ids);
      }
    })();
    const replayed = await client.untilLive();
    isLive = true;
    await publishing;
    await worker.untilPong();
    const messages = [
      ...replayed.messages,
      ...(await client.messages(1 + published - replayed.messages.length)),
    ];

    expect(messages.slice(0, 10_001).map(({ data }) => data)).toEqual([online(), ...history]);
    expect(messages.slice(10_001)).toEqual(await witness.messages(published - 10_000));
    const numbers = messages.slice(1).map(({ data }) => JSON.parse(data).n);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: published }, (_, n) => n));
    expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length);
    const seen = new Set(messages.map(({ id }) => id));
    expect(ids.filter((id) => !seen.has(id))).toEqual([]);
    expect(await client.untilPong()).toEqual([]);
  });

  test("is replayed to one that reads in fits and starts, which is not closed as too slow", async () => {
    await using hub = await startHub({ env: { ...FAST_HEARTBEAT, HISTORY_MESSAGES: "40000" } });
    await publishAll(hub, padded(LARGE, KILOBYTE));
    await using client = await joinStream(hub, { since: "earliest" });
    for (let pause = 0; pause < 5; pause++) {
      client.raw.tcp.pause();
      await untilBackedUp(hub);
      await publish(hub, padded(1, KILOBYTE, LARGE + pause));
      client.raw.tcp.resume();
      if (pause < 4) await client.messages(500);
    }
    const rest = await readOver(client, LARGE + 5 - 2_000);
    expect(rest.map(({ data }) => data)).toEqual(padded(LARGE + 5 - 2_000, KILOBYTE, 2_000));
  });

  test.each([
    ["of 1 KB", 5_000, KILOBYTE],
    ["as large as any may be", 200, 65_536],
  ])("of messages %s keeps below the smallest limit for slow consumers", async (_, count, bytes) => {
    const env = { SLOW_CONSUMER_BYTES: "65536", MAX_MESSAGE_BYTES: "65536", ...FAST_HEARTBEAT };
    await using hub = await startHub({ env });
    const ids = await publishAll(hub, padded(count, bytes));
    // A receipt may come before all of its batch is live, and who is live and does not read is rightly too slow. So the
    // rest of the batch goes out first.
    await using _witness = await joinLive(hub, { since: ids.at(-1) as string });
    await using client = await joinStream(hub, { since: "earliest" });
    client.raw.tcp.pause();
    await untilBackedUp(hub);
    client.raw.tcp.resume();
    const messages = await readOver(client, count);
    expect(messages.map(({ data }) => data)).toEqual(padded(count, bytes));
  });

  // A page holds 256: the seam may fall on the first message of the next one.
  test.each([255, 256, 257, 258, 512, 513])(
    "of %i messages, about a page, is replayed whole",
    async (count) => {
      await using hub = await startHub();
      const history = numbered(count);
      const ids = await publishAll(hub, history);
      await using _witness = await joinLive(hub, { since: ids.at(-1) as string });
      await using client = await joinStream(hub, { since: "earliest" });
      const { messages, live } = await client.untilLive();
      expect(messages.map(({ data }) => data)).toEqual(history);
      expect(live.id).toBe(ids.at(-1) as string);
    },
  );

  test("with a filter that lets nothing through is over at once, and the seam is at the head", async () => {
    await using hub = await startHub();
    const ids = await publishAll(hub, padded(10_000, KILOBYTE));
    await using _witness = await joinLive(hub, { since: ids.at(-1) as string });
    await using client = await joinStream(hub, { since: "earliest", types: "NOBODY_SENDS_THIS" });
    const { messages, live } = await client.untilLive();
    expect(messages).toEqual([]);
    expect(live.id).toBe(ids.at(-1) as string);
  });

  test("delays nobody who is live, although those who are being replayed to do not read", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "40000" } });
    const ids = await publishAll(hub, padded(LARGE, KILOBYTE));
    await using bystander = await joinLive(hub, { since: ids.at(-1) as string });
    const replaying = await Promise.all(
      Array.from({ length: 4 }, () => joinStream(hub, { since: "earliest" })),
    );
    for (const client of replaying) client.raw.tcp.pause();
    await publish(hub, numbered(100, LARGE));
    expect(await bystander.texts(100)).toEqual(numbered(100, LARGE));
    for (const client of replaying) {
      client.raw.tcp.resume();
      const messages = await readOver(client, LARGE + 100);
      expect(messages.slice(LARGE).map(({ data }) => data)).toEqual(numbered(100, LARGE));
      await client[Symbol.asyncDispose]();
    }
  });
});

test("150 that come back at once all get everything, those before and those after the places are taken", async () => {
  await using hub = await startHub();
  const history = padded(800, 500);
  await publishAll(hub, history);
  const clients = await Promise.all(
    Array.from({ length: 150 }, () => joinStream(hub, { since: "earliest" })),
  );
  await publish(hub, numbered(5, 800));
  const expected = [...history, ...numbered(5, 800)];
  await Promise.all(
    clients.map(async (client) => {
      const messages = await readOver(client, expected.length);
      expect(messages.map(({ data }) => data)).toEqual(expected);
    }),
  );
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});

test("those that wait for a place leave it to others when they go", async () => {
  await using hub = await startHub();
  const history = padded(2_000, KILOBYTE);
  await publishAll(hub, history);
  const gone = await Promise.all(Array.from({ length: 100 }, () => joinStream(hub, { since: "earliest" })));
  await Promise.all(gone.map((client) => client[Symbol.asyncDispose]()));
  await using client = await joinStream(hub, { since: "earliest" });
  expect((await readOver(client, 2_000)).map(({ data }) => data)).toEqual(history);
});

describe("eviction that overtakes a replay", () => {
  test("closes it with 1013 after a whole piece of the stream, and the next hello says evicted", async () => {
    await using hub = await startHub({ env: { ...FAST_HEARTBEAT, HISTORY_MESSAGES: String(LARGE) } });
    const texts = padded(3 * LARGE, KILOBYTE);
    await publishAll(hub, texts.slice(0, LARGE));
    const client = await joinStream(hub, { since: "earliest" });
    client.raw.tcp.pause();
    await untilBackedUp(hub);
    await publishAll(hub, texts.slice(LARGE));
    client.raw.tcp.resume();
    const { frames, code } = await client.untilClose();
    expect(code).toBe(1013);
    const messages = frames.flatMap((frame) => (frame.type === "message" ? [frame.data] : []));
    expect(messages).toEqual(texts.slice(0, messages.length));
    expect(messages.length).toBeLessThan(LARGE);
    expect(frames).toHaveLength(messages.length);

    await using again = await joinStream(hub, { since: client.cursor() });
    expect(again.hello).toMatchObject({ resumed: false, reason: "evicted" });
    expect((await again.untilLive()).messages).toEqual([]);
    await client[Symbol.asyncDispose]();
  });
});

describe("a live consumer that does not read", () => {
  test("is closed with 1013, the others notice nothing, and it resumes without a gap", async () => {
    await using hub = await startHub();
    await using other = await joinLive(hub);
    const slow = await joinLive(hub);
    slow.raw.tcp.pause();
    const texts = padded(300, 100_000);
    for (let at = 0; at < texts.length; at += 10) {
      await publish(hub, texts.slice(at, at + 10));
      expect(await other.texts(10)).toEqual(texts.slice(at, at + 10));
    }
    const id = slow.hello.conn_id;
    const ended = await hub.waitForLog(
      "its end",
      ({ event, conn_id }) => event === "FINISH" && conn_id === id,
    );
    expect(ended["code"]).toBe(1013);
    slow.raw.tcp.resume();
    const { messages, code } = await untilEnd(slow);
    // A peer that does not read cannot be shown a code.
    expect([1013, 1006]).toContain(code);
    expect(messages).toEqual(texts.slice(0, messages.length));
    expect(messages.length).toBeLessThan(texts.length);

    await using again = await joinStream(hub, { since: slow.cursor() });
    expect(again.hello.resumed).toBe(true);
    const rest = (await again.untilLive()).messages.map(({ data }) => data);
    expect([...messages, ...rest]).toEqual(texts);
    await slow[Symbol.asyncDispose]();
    expect(await other.untilPong()).toEqual([]);
  });

  /** What it could still read, and how it ended; 1006 without a close frame. */
  async function untilEnd(client: StreamClient): Promise<{ messages: string[]; code: number }> {
    const messages: string[] = [];
    try {
      while (true) messages.push(...(await client.texts(1)));
    } catch (error) {
      const isClose = String(error).includes("opcode 8");
      return { messages, code: isClose ? 1013 : 1006 };
    }
  }
});
