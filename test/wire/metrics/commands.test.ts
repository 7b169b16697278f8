import { describe, expect, test } from "bun:test";
import { acceptedOf, expectProblem, sendCommand, untilStatus } from "../../support/api.ts";
import { growth, scrape } from "../../support/exposition.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinStreamWorker } from "../../support/streamclient.ts";

// GET /metrics (PROTOCOL.md section 4): what it counts of commands for the worker.

describe("commands are counted", () => {
  const send = async (hub: Hub, n: number): Promise<string> =>
    acceptedOf(await sendCommand(hub, `{"n":${n}}`)).id;

  test("as accepted and as refused", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "2" } });
    const grown = await growth(hub, async () => {
      expectProblem(await sendCommand(hub, "{}", { query: "?if_offline=reject" }), 409, "offline");
      for (const n of [1, 2]) await send(hub, n);
      expectProblem(await sendCommand(hub, "{}"), 503, "queue_full");
    });
    expect(grown).toEqual({ "commands_total accepted": 2, "commands_total refused": 2 });
    expect((await scrape(hub)).get("vectra_commands_waiting")).toBe(2);
  });

  test("as sent, sent again and acknowledged", async () => {
    await using hub = await startHub();
    const ids = [await send(hub, 1), await send(hub, 2)];
    /** A worker that takes both. */
    const takeBoth = async (acknowledged: readonly string[]): Promise<void> => {
      await using worker = await joinStreamWorker(hub);
      worker.send({ type: "register", metadata: {} });
      const taken: string[] = [];
      while (taken.length < 2) {
        const frame = await worker.next();
        if (frame.type === "command") taken.push(frame.id);
      }
      expect(taken).toEqual(ids);
      for (const id of acknowledged) worker.send({ type: "ack", id });
      await worker.untilPong();
    };
    const commandsOnly = async (happen: () => Promise<void>): Promise<[string, number][]> =>
      Object.entries(await growth(hub, happen)).filter(([name]) => name.startsWith("commands_total "));
    expect(await commandsOnly(() => takeBoth([]))).toEqual([["commands_total sent", 2]]);
    expect(await commandsOnly(() => takeBoth(ids.slice(0, 1)))).toEqual([
      ["commands_total redelivered", 2],
      ["commands_total acknowledged", 1],
    ]);
    expect((await scrape(hub)).get("vectra_commands_waiting")).toBe(1);
  });

  test("as expired", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "100" } });
    const grown = await growth(hub, async () => void (await untilStatus(hub, await send(hub, 1), "expired")));
    expect(grown).toEqual({ "commands_total accepted": 1, "commands_total expired": 1 });
    expect((await scrape(hub)).get("vectra_commands_waiting")).toBe(0);
  });
});
