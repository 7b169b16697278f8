import { describe, expect, test } from "bun:test";
import { publishOne } from "../../support/api.ts";
import { bridgedHub } from "../../support/bridge.ts";
import { growth, scrape } from "../../support/exposition.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { joinLiveSse, joinSse } from "../../support/sse-stream.ts";
import { joinLive, joinStream } from "../../support/streamclient.ts";
import { startVectraApi } from "../../support/vectra-api.ts";

// GET /metrics (PROTOCOL.md section 4): what it counts of messages and those who resume.

describe("the stream is counted", () => {
  test("by where a message came from", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using client = await joinClient(hub);
    const total = (source: string, count: number): Record<string, number> => ({
      [`published_total ${source}`]: count,
      "deliveries_total websocket": count,
      "delivered_bytes_total websocket": expect.any(Number),
    });
    const fromApi = await growth(hub, async () => {
      api.broadcast('{"type":"DOC_CREATED"}');
      await client.next();
    });
    expect(fromApi).toEqual(total("bridge", 1));

    const fromHttp = await growth(hub, async () => {
      for (let n = 0; n < 3; n += 1) await publishOne(hub, `{"n":${n}}`);
    });
    expect(fromHttp).toEqual(total("http", 3));
    for (let n = 0; n < 3; n += 1) await client.next();

    let worker: Awaited<ReturnType<typeof joinWorker>> | undefined;
    const fromHub = await growth(hub, async () => {
      worker = await joinWorker(hub);
      expect(await client.next()).toBe(online());
    });
    expect(fromHub["published_total hub"]).toBe(1);
    await using joined = worker;
    const fromWorker = await growth(hub, async () => {
      joined?.send('{"type":"DOC_UPDATE"}');
      await joined?.untilPong();
    });
    expect(fromWorker).toEqual(total("worker", 1));
  });

  test("by how many it was handed to, over which transport, and in bytes of the messages", async () => {
    await using hub = await startHub();
    await using _raw = await joinClient(hub);
    await using _stream = await joinLive(hub);
    await using _filtered = await joinLive(hub, { types: "OTHER" });
    await using events = await joinLiveSse(hub);
    const text = '{"type":"DOC_UPDATE","name":"é"}';
    const bytes = Buffer.byteLength(text);
    const grown = await growth(hub, async () => {
      for (let n = 0; n < 5; n += 1) await publishOne(hub, text);
      await events.messages(5);
    });
    expect(grown).toEqual({
      "published_total http": 5,
      "deliveries_total websocket": 10,
      "deliveries_total sse": 5,
      "delivered_bytes_total websocket": 10 * bytes,
      "delivered_bytes_total sse": 5 * bytes,
    });
  });

  test("with how long it took to send, in buckets that add up", async () => {
    await using hub = await startHub();
    await using _client = await joinClient(hub);
    for (let n = 0; n < 7; n += 1) await publishOne(hub, `{"n":${n}}`);
    const page = await scrape(hub);
    const name = "vectra_publish_duration_seconds";
    const buckets = [...page].filter(([series]) => series.startsWith(`${name}_bucket`));
    const counts = buckets.map(([, count]) => count);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(buckets.at(-1)).toEqual([`${name}_bucket{le="+Inf"}`, 7]);
    expect(page.get(`${name}_count`)).toBe(7);
    expect(page.get(`${name}_sum`)).toBeGreaterThan(0);
  });

  test("as superseded where a rule of conflation says so", async () => {
    await using hub = await startHub({ env: { CONFLATE: "DOC_PROGRESS:id:60000" } });
    await using worker = await joinWorker(hub);
    const grown = await growth(hub, async () => {
      for (let n = 0; n < 5; n += 1) worker.send(`{"type":"DOC_PROGRESS","id":1,"n":${n}}`);
      // Not covered by the rule, so it first publishes what is held back.
      worker.send('{"type":"DOC_UPDATE"}');
      await worker.untilPong();
    });
    expect(grown).toMatchObject({ "published_total worker": 3, conflated_total: 3 });
  });

  for (const [transport, join] of [
    ["websocket", joinStream],
    ["sse", joinSse],
  ] as const) {
    test(`as resumed, with what was replayed, or why not (${transport})`, async () => {
      await using hub = await startHub({ env: { HISTORY_MESSAGES: "100" } });
      const cursor = await publishOne(hub, '{"n":0}');
      for (let n = 1; n < 4; n += 1) await publishOne(hub, `{"n":${n}}`);
      const visit = async (since?: string): Promise<void> => {
        await using visitor = await join(hub, since === undefined ? {} : { since });
        await visitor.untilLive();
      };
      expect(await growth(hub, () => visit())).toEqual({ "resumes_total none": 1 });
      expect(await growth(hub, () => visit(cursor))).toEqual({
        "resumes_total resumed": 1,
        [`replayed_messages_total ${transport}`]: 3,
      });
      expect(await growth(hub, () => visit("never-heard-of"))).toEqual({ "resumes_total unknown": 1 });
      for (let n = 0; n < 200; n += 1) await publishOne(hub, `{"n":${n}}`);
      expect(await growth(hub, () => visit(cursor))).toEqual({ "resumes_total evicted": 1 });
    });
  }
});
