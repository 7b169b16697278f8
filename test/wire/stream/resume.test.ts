import { describe, expect, test } from "bun:test";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinRawWorker, OFFLINE, online } from "../../support/parties.ts";
import { numbered, padded, publish } from "../../support/publish.ts";
import { joinLive, joinStream, type StreamClient } from "../../support/streamclient.ts";
import { openClient } from "../../support/wsclient.ts";

// PROTOCOL.md section 3, "Resume", with the history in memory.

/** Joins with `since`, and reads what is replayed. */
async function resume(hub: Hub, since: string): Promise<{ client: StreamClient; texts: string[] }> {
  const client = await joinStream(hub, { since });
  const { messages, live } = await client.untilLive();
  expect(live.id).toBe(messages.at(-1)?.id ?? client.hello.cursor);
  return { client, texts: messages.map(({ data }) => data) };
}

/** Joins with a `since` that cannot be resumed from; then delivery starts at the head, and says so. */
async function refusedResume(hub: Hub, since: string, reason: string): Promise<void> {
  await using witness = await joinStream(hub);
  const { client, texts } = await resume(hub, since);
  await using _ = client;
  expect(client.hello).toMatchObject({ resumed: false, reason, cursor: witness.hello.cursor });
  expect(texts).toEqual([]);
  await publish(hub, '{"type":"AFTER"}');
  expect(await client.texts(1)).toEqual(['{"type":"AFTER"}']);
}

describe("since=<cursor>", () => {
  test("replays exactly what came after it, whichever message it names, and goes on live", async () => {
    await using hub = await startHub();
    await using witness = await joinLive(hub);
    const { ids } = await publish(hub, numbered(20));
    const clients: StreamClient[] = [];
    for (const [at, since] of [witness.hello.cursor, ...ids].entries()) {
      const { client, texts } = await resume(hub, since);
      expect(client.hello).toMatchObject({ cursor: since, resumed: true });
      expect(client.hello).not.toHaveProperty("reason");
      expect(texts).toEqual(numbered(20).slice(at));
      clients.push(client);
    }
    await publish(hub, numbered(5, 20));
    for (const client of clients) {
      expect(await client.texts(5)).toEqual(numbered(5, 20));
      expect(await client.untilPong()).toEqual([]);
      await client[Symbol.asyncDispose]();
    }
  });

  test("is right at every instant: after hello, any message, live and a position", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "50" } });
    const { ids } = await publish(hub, numbered(10));
    const since = ids[4] as string;
    await using client = await joinStream(hub, { since });
    const told = [client.hello.cursor];
    for (let frame = await client.next(); frame.type !== "position"; frame = await client.next()) {
      if (frame.type === "message" || frame.type === "live") told.push(frame.id);
    }
    told.push(client.cursor());
    expect(told).toEqual([since, ...ids.slice(5), ids[9] as string, ids[9] as string]);
    for (const [at, cursor] of told.entries()) {
      const { client: again, texts } = await resume(hub, cursor);
      expect(texts).toEqual(numbered(10).slice(Math.min(5 + at, 10)));
      await again[Symbol.asyncDispose]();
    }
  });

  test("carries the worker's status changes like any other message, and live says the present one", async () => {
    await using hub = await startHub();
    await using witness = await joinLive(hub);
    const worker = await joinRawWorker(hub);
    worker.text('{"n":1}');
    await worker.untilPong();
    await worker[Symbol.asyncDispose]();
    await witness.messages(3);
    await using client = await joinStream(hub, { since: witness.hello.cursor });
    expect(client.hello.worker.status).toBe("offline");
    const { messages, live } = await client.untilLive();
    expect(messages.map(({ data }) => data)).toEqual([online(), '{"n":1}', OFFLINE]);
    expect(live.worker).toEqual({ status: "offline", metadata: null });
  });

  test("over many drops at random places loses and repeats nothing", async () => {
    await using hub = await startHub();
    const seen: string[] = [];
    let since = "earliest";
    let published = 0;
    for (let round = 0; round < 25; round++) {
      const publishing = publish(hub, numbered(40, published));
      published += 40;
      await using client = await joinStream(hub, { since });
      expect(client.hello.resumed).toBe(true);
      for (let frames = 0; frames <= round; frames++) {
        const frame = await client.next();
        if (frame.type === "message") seen.push(frame.data);
      }
      since = client.cursor();
      await publishing;
    }
    const { client, texts } = await resume(hub, since);
    await using _ = client;
    expect([...seen, ...texts]).toEqual(numbered(published));
  });
});

describe("since=earliest", () => {
  test("replays all that is held, and is no error while nothing is", async () => {
    await using hub = await startHub();
    {
      const { client, texts } = await resume(hub, "earliest");
      await using _ = client;
      expect({ resumed: client.hello.resumed, texts }).toEqual({ resumed: true, texts: [] });
      await publish(hub, numbered(3));
      expect(await client.texts(3)).toEqual(numbered(3));
    }
    const { client, texts } = await resume(hub, "earliest");
    await using _ = client;
    expect({ resumed: client.hello.resumed, texts }).toEqual({ resumed: true, texts: numbered(3) });
  });

  test("of a full history starts at the oldest message held, and hello names the position before it", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "10" } });
    const { ids } = await publish(hub, numbered(25));
    const { client, texts } = await resume(hub, "earliest");
    await using _ = client;
    expect(texts).toEqual(numbered(25).slice(15));
    expect(client.hello).toMatchObject({ resumed: true, cursor: ids[14] as string });
  });
});

/** Asks again and again, until HISTORY_TTL_MS has passed. */
async function untilNothingIsHeld(hub: Hub): Promise<void> {
  while (true) {
    const { client, texts } = await resume(hub, "earliest");
    await client.leave();
    if (texts.length === 0) return;
  }
}

describe("evicted", () => {
  test("by HISTORY_MESSAGES: the position before the oldest message held still resumes, the one before that does not", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "10" } });
    const { ids } = await publish(hub, numbered(25));
    const { client, texts } = await resume(hub, ids[14] as string);
    await client[Symbol.asyncDispose]();
    expect({ resumed: client.hello.resumed, texts }).toEqual({ resumed: true, texts: numbered(10, 15) });
    for (const since of [ids[13], ids[0]]) await refusedResume(hub, since as string, "evicted");
  });

  test("by HISTORY_BYTES", async () => {
    await using hub = await startHub({ env: { HISTORY_BYTES: "65536", MAX_MESSAGE_BYTES: "65536" } });
    const { ids } = await publish(hub, padded(100, 4_096));
    const { client, texts } = await resume(hub, "earliest");
    await client[Symbol.asyncDispose]();
    expect(texts).toEqual(padded(16, 4_096, 84));
    await refusedResume(hub, ids[82] as string, "evicted");
  });

  test("by HISTORY_TTL_MS", async () => {
    await using hub = await startHub({ env: { HISTORY_TTL_MS: "100" } });
    await using witness = await joinLive(hub);
    await publish(hub, '{"n":0}');
    await untilNothingIsHeld(hub);
    await refusedResume(hub, witness.hello.cursor, "evicted");
  });

  test("never of the present: with the newest cursor a client resumes, however little is held", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "10", HISTORY_TTL_MS: "100" } });
    const { ids } = await publish(hub, numbered(25));
    await untilNothingIsHeld(hub);
    const { client, texts } = await resume(hub, ids[24] as string);
    await using _ = client;
    expect({ resumed: client.hello.resumed, texts }).toEqual({ resumed: true, texts: [] });
  });
});

describe("unknown", () => {
  test("is what this hub has never given out: garbage, the future, another hub's cursor", async () => {
    await using hub = await startHub();
    await using other = await startHub();
    const { ids } = await publish(hub, numbered(2));
    const [first = "", last = ""] = ids;
    const foreign = (await publish(other, numbered(2))).ids[0] as string;
    const future = last.replace(/\d+$/, (offset) => String(Number(offset) + 1));
    expect(future).not.toBe(last);
    await refusedResume(hub, future, "unknown");
    for (const since of [
      foreign,
      last.replace(/\d+$/, "999999999999999"),
      last.replace(/\d+$/, "9".repeat(40)),
      first.replace(/\d+$/, "-1"),
      first.toUpperCase() === first ? "" : first.toUpperCase(),
      `${first} `,
      ` ${first}`,
      `${first}\n`,
      `${first}-1`,
      "0",
      "-1",
      "EARLIEST",
      "latest",
      "0-0",
      "null",
      "%00",
      "'; DROP TABLE messages; --",
      "x".repeat(5_000),
      "🔑",
    ]) {
      if (since !== "") await refusedResume(hub, since, "unknown");
    }
  });

  test("without a history file, it is every cursor from before a restart", async () => {
    let since: string;
    {
      await using hub = await startHub();
      since = (await publish(hub, numbered(5))).ids[4] as string;
      expect(await hub.stop()).toBe(0);
    }
    await using hub = await startHub();
    await publish(hub, numbered(20));
    await refusedResume(hub, since, "unknown");
  });
});

describe("an empty since", () => {
  test("asks for nothing, as none does", async () => {
    await using hub = await startHub();
    await publish(hub, numbered(2));
    await refusedResume(hub, "", "none");
  });
});

describe("raw framing", () => {
  test("has no cursor, and since is ignored there", async () => {
    await using hub = await startHub();
    const { ids } = await publish(hub, numbered(5));
    for (const since of ["earliest", ids[0] as string, "garbage"]) {
      await using client = await openClient(hub.wsUrl(`since=${since}`));
      expect(await client.untilPong()).toEqual([OFFLINE]);
    }
  });
});
