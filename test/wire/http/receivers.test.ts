import { describe, expect, test } from "bun:test";
import { publish, publishLines, receiptOf } from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { numbered } from "../../support/publish.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinLive } from "../../support/streamclient.ts";
import { openClient } from "../../support/wsclient.ts";

// `receivers` in the receipt of a publish (PROTOCOL.md section 4): those of the node that answers.

describe("a receipt counts", () => {
  test("whom the message goes to: not workers, and filtered ones only when it matches", async () => {
    await using hub = await startHub();
    const sent = async (json: string) => receiptOf(await publish(hub, json)).receivers;
    expect(await sent('{"type":"A"}')).toEqual({ websocket: 0, sse: 0 });

    await using _worker = await joinWorker(hub);
    expect(await sent('{"type":"A"}')).toEqual({ websocket: 0, sse: 0 });

    await using _raw = await joinClient(hub, online());
    await using _stream = await joinLive(hub);
    await using rawA = await openClient(hub.wsUrl("types=A"));
    await using _streamAb = await joinLive(hub, { types: "A,B" });
    await using _sse = await joinLiveSse(hub);
    await using _sseA = await joinLiveSse(hub, { types: "A" });
    await using _sseBc = await joinLiveSse(hub, { types: "B,C" });
    // A raw client is subscribed once it has had its status.
    expect(await rawA.next()).toBe(online());

    expect(await sent('{"type":"A"}')).toEqual({ websocket: 4, sse: 2 });
    expect(await sent('{"type":"B"}')).toEqual({ websocket: 3, sse: 2 });
    expect(await sent('{"type":"C"}')).toEqual({ websocket: 2, sse: 2 });
    expect(await sent('{"type":"D"}')).toEqual({ websocket: 2, sse: 1 });
    expect(await sent('{"type":"a"}')).toEqual({ websocket: 2, sse: 1 });
    expect(await sent('{"type":5}')).toEqual({ websocket: 2, sse: 1 });
    expect(await sent("{}")).toEqual({ websocket: 2, sse: 1 });
  });

  test("nobody who has left", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    const client = await joinClient(hub);
    const sse = await joinLiveSse(hub);
    expect(receiptOf(await publish(hub, "{}")).receivers).toEqual({ websocket: 1, sse: 1 });
    await client.close();
    await hub.waitForLog("the client's end", ({ msg }) => msg === "client Disconnected");
    expect(receiptOf(await publish(hub, "{}")).receivers).toEqual({ websocket: 0, sse: 1 });
    await sse[Symbol.asyncDispose]();
    await hub.waitForLog("the stream's end", ({ scope, event }) => scope === "events" && event === "FINISH");
    expect(receiptOf(await publish(hub, "{}")).receivers).toEqual({ websocket: 0, sse: 0 });
  });

  test("of a batch those of the message that reaches most, on either transport", async () => {
    await using hub = await startHub();
    await using _raw = await joinClient(hub);
    await using _stream = await joinLive(hub, { types: "A" });
    await using _sse = await joinLiveSse(hub, { types: "B" });
    const batch = (types: readonly string[]) =>
      publishLines(
        hub,
        types.map((type) => `{"type":"${type}"}`),
      );
    expect(receiptOf(await batch(["C"])).receivers).toEqual({ websocket: 1, sse: 0 });
    expect(receiptOf(await batch(["C", "A", "C"])).receivers).toEqual({ websocket: 2, sse: 0 });
    expect(receiptOf(await batch(["C", "B", "C"])).receivers).toEqual({ websocket: 1, sse: 1 });
  });

  test("100 streams", async () => {
    await using hub = await startHub();
    await using streams = new AsyncDisposableStack();
    for (const stream of await Promise.all(Array.from({ length: 100 }, () => joinLiveSse(hub))))
      streams.use(stream);
    expect(receiptOf(await publishLines(hub, numbered(100))).receivers).toEqual({ websocket: 0, sse: 100 });
  });
});
