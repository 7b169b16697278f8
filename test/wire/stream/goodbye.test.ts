import { describe, expect, test } from "bun:test";
import { within } from "../../support/deadline.ts";
import { startHub } from "../../support/hub.ts";
import { padded, publish } from "../../support/publish.ts";
import { joinLive, joinStream, joinStreamWorker } from "../../support/streamclient.ts";

// PROTOCOL.md sections 1 and 3: how the hub takes leave.

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  test("says goodbye to each client, with a delay of its own, before it closes with 1001", async () => {
    await using hub = await startHub();
    await using worker = await joinStreamWorker(hub);
    const clients = await Promise.all(Array.from({ length: 12 }, () => joinLive(hub)));
    await publish(hub, '{"n":1}');
    hub.kill(signal);

    const delaysMs = new Set<number>();
    for (const client of clients) {
      const { frames, code } = await client.untilClose();
      expect(code).toBe(1001);
      expect(frames).toMatchObject([
        { type: "message", data: '{"n":1}' },
        { type: "goodbye", reason: "shutdown" },
      ]);
      const goodbye = frames[1];
      if (goodbye?.type !== "goodbye") throw new Error("no goodbye");
      expect(Number.isInteger(goodbye.reconnect_after_ms)).toBe(true);
      expect(goodbye.reconnect_after_ms).toBeGreaterThan(0);
      delaysMs.add(goodbye.reconnect_after_ms);
    }
    // Twelve equal draws from a range of seconds would not be chance.
    expect(delaysMs.size).toBeGreaterThan(1);
    expect(await worker.untilClose()).toMatchObject({ frames: [], code: 1001 });
    expect(await within(hub.exited, "exit")).toBe(0);
  });

  test("says it in the middle of a replay, too, without claiming what was not sent", async () => {
    await using hub = await startHub();
    const history = padded(5_000, 1_000);
    await publish(hub, history);
    await using client = await joinStream(hub, { since: "earliest" });
    client.raw.tcp.pause();
    hub.kill(signal);
    client.raw.tcp.resume();
    const { frames, code } = await client.untilClose();
    expect(code).toBe(1001);
    expect(frames.at(-1)?.type).toBe("goodbye");
    const texts = frames.flatMap((frame) => (frame.type === "message" ? [frame.data] : []));
    expect(texts).toEqual(history.slice(0, texts.length));
    if (texts.length < 5_000) expect(frames.some(({ type }) => type === "live")).toBe(false);
  });
});
