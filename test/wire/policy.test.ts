import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { type Hub, type HubEnv, startHub } from "../support/hub.ts";
import { joinClient, joinRawWorker, joinWorker, OFFLINE, online, register } from "../support/parties.ts";
import type { WsClient } from "../support/wsclient.ts";

// PROTOCOL.md section 1, "One worker at a time".

async function askStatus(client: WsClient): Promise<string> {
  client.send("get_worker_status");
  return await client.next();
}

describe("WORKER_POLICY=replace", () => {
  test("closes the old worker with 4001 and announces the new one, never offline", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using old = await joinRawWorker(hub);
    old.text(register({ hostname: "old" }));
    await old.untilPong();
    await using young = await joinWorker(hub);

    const { code, reason } = await old.nextClose();
    expect(code).toBe(4001);
    expect(reason).not.toBe("");
    old.close(code);
    await within(old.tcp.closed, "end of the old worker");
    young.send(register({ hostname: "young" }));
    await young.untilPong();
    expect(await client.untilPong()).toEqual([
      online(),
      online({ hostname: "old" }),
      online(),
      online({ hostname: "young" }),
    ]);
    expect(await askStatus(client)).toBe(online({ hostname: "young" }));
  });

  test("takes nothing more from the old worker, though it does not answer the close", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using old = await joinRawWorker(hub);
    await using young = await joinWorker(hub);
    old.text('{"type":"DOC_UPDATE","from":"old"}');
    old.text(register({ hostname: "old" }));
    expect((await old.nextClose()).code).toBe(4001);
    old.tcp.halfClose();
    await within(old.tcp.closed, "end of the old worker");
    young.send('{"type":"DOC_UPDATE","from":"young"}');
    await young.untilPong();

    expect(await client.untilPong()).toEqual([online(), online(), '{"type":"DOC_UPDATE","from":"young"}']);
    expect(await young.untilPong()).toEqual([]);
  });

  test("announces offline when the new worker ends, long after the old one", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using old = await joinWorker(hub);
    const young = await joinWorker(hub);
    expect((await within(old.closed, "end of the old worker")).code).toBe(4001);
    await young.close();
    for (const status of [online(), online(), OFFLINE]) expect(await client.next()).toBe(status);
    expect(await client.untilPong()).toEqual([]);
  });
});

describe("two workers that fight", () => {
  /** Comes back at once whenever it is replaced, as a worker without a back-off does, until the rounds are over. */
  async function fight(hub: Hub, rounds: { left: number }): Promise<WsClient> {
    while (true) {
      const worker = await joinWorker(hub);
      rounds.left -= 1;
      if (rounds.left <= 0) return worker;
      const { code } = await within(worker.closed, "the other worker");
      expect(code).toBe(4001);
    }
  }

  test("replace each other for as long as they like, and no client ever reads offline meanwhile", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const rounds = { left: 40 };
    const last = await Promise.all([fight(hub, rounds), fight(hub, rounds)]);
    const connections = 40 - rounds.left;
    expect(await client.untilPong()).toEqual(Array.from({ length: connections }, () => online()));

    await Promise.all(last.map((worker) => worker.close()));
    expect(await client.next()).toBe(OFFLINE);
    expect(await client.untilPong()).toEqual([]);
  });
});

describe("WORKER_POLICY=shared", () => {
  const env: HubEnv = { WORKER_POLICY: "shared" };

  test("lets several work side by side; each one's messages go to the clients, not to the other workers", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    await using one = await joinWorker(hub);
    await using two = await joinWorker(hub);
    one.send('{"type":"DOC_UPDATE","from":1}');
    await one.untilPong();
    two.send('{"type":"DOC_UPDATE","from":2}');
    const seenByTwo = await two.untilPong();
    const seenByOne = await one.untilPong();

    const seen = await client.untilPong();
    expect(seen.filter((text) => !text.includes("WORKER_STATUS"))).toEqual([
      '{"type":"DOC_UPDATE","from":1}',
      '{"type":"DOC_UPDATE","from":2}',
    ]);
    expect(seen).not.toContain(OFFLINE);
    expect([...seenByOne, ...seenByTwo].filter((text) => text.includes("DOC_UPDATE"))).toEqual([]);
  });

  test("shows the newest worker's metadata, and online until the last one has gone", async () => {
    await using hub = await startHub({ env });
    await using client = await joinClient(hub);
    const old = await joinWorker(hub);
    old.send(register({ hostname: "old" }));
    await old.untilPong();
    const young = await joinWorker(hub);
    young.send(register({ hostname: "young" }));
    await young.untilPong();
    await client.untilPong();
    expect(await askStatus(client)).toBe(online({ hostname: "young" }));

    old.send(register({ hostname: "old, renamed" }));
    await old.untilPong();
    await client.untilPong();
    expect(await askStatus(client)).toBe(online({ hostname: "young" }));

    await young.close();
    expect(await client.next()).toBe(online({ hostname: "old, renamed" }));
    expect(await askStatus(client)).toBe(online({ hostname: "old, renamed" }));

    await old.close();
    expect(await client.next()).toBe(OFFLINE);
    expect(await client.untilPong()).toEqual([]);
    expect(await askStatus(client)).toBe(OFFLINE);
  });

  test("stays online when an older worker goes first", async () => {
    await using hub = await startHub({ env });
    const old = await joinWorker(hub);
    await using young = await joinWorker(hub);
    young.send(register({ hostname: "young" }));
    await young.untilPong();
    await using client = await joinClient(hub, online({ hostname: "young" }));
    await old.close();
    expect(await client.untilPong()).not.toContain(OFFLINE);
    expect(await askStatus(client)).toBe(online({ hostname: "young" }));
  });
});
