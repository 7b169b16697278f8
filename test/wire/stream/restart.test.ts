import { describe, expect, test } from "bun:test";
import {
  acceptedOf,
  expectProblem,
  publish as postPublish,
  sendCommand,
  stateOf,
  untilNoWorker,
} from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { createFolder, type Folder } from "../../support/folder.ts";
import { type Hub, type HubEnv, startHub } from "../../support/hub.ts";
import { OFFLINE, online } from "../../support/parties.ts";
import { numbered, publish } from "../../support/publish.ts";
import { joinLive, joinStream, joinStreamWorker, type StreamSocket } from "../../support/streamclient.ts";

// PROTOCOL.md section 3 with HISTORY_FILE: what survives the end of the hub, however it ends.

const ENDINGS = ["SIGTERM", "SIGKILL"] as const;

function startOn(folder: Folder, env: HubEnv = {}): Promise<Hub> {
  return startHub({ env: { HISTORY_FILE: folder.file("history.db"), ...env } });
}

async function end(hub: Hub, signal: NodeJS.Signals): Promise<void> {
  hub.kill(signal);
  await within(hub.exited, `exit after ${signal}`);
}

/** What a client gets that resumes from there: the reason if nothing, else the texts. */
async function resumeFrom(hub: Hub, since: string): Promise<string[] | string | undefined> {
  await using client = await joinStream(hub, { since });
  const { messages } = await client.untilLive();
  return client.hello.resumed ? messages.map(({ data }) => data) : client.hello.reason;
}

describe.each(ENDINGS)("after %s", (signal) => {
  test("every cursor from before resumes where it stood, and new ones go on from there", async () => {
    await using folder = await createFolder();
    let cursors: string[];
    {
      await using hub = await startOn(folder);
      await using client = await joinLive(hub);
      cursors = [client.hello.cursor, ...(await publish(hub, numbered(10))).ids];
      await end(hub, signal);
    }
    await using hub = await startOn(folder);
    for (const [at, since] of cursors.entries()) {
      expect(await resumeFrom(hub, since)).toEqual(numbered(10).slice(at));
    }
    expect(await resumeFrom(hub, "earliest")).toEqual(numbered(10));
    const { ids } = await publish(hub, numbered(3, 10));
    for (const id of ids) expect(cursors).not.toContain(id);
    for (const [at, since] of [...cursors, ...ids].entries()) {
      expect(await resumeFrom(hub, since)).toEqual(numbered(13).slice(at));
    }
  });

  test("over several restarts there is no gap: each cursor ever seen resumes to all that followed", async () => {
    await using folder = await createFolder();
    /** Every cursor a client saw, with the number of messages before it. */
    const seen: [cursor: string, before: number][] = [];
    const texts: string[] = [];
    for (let run = 0; run < 5; run++) {
      await using hub = await startOn(folder);
      await using fresh = await joinLive(hub);
      seen.push([fresh.hello.cursor, texts.length]);
      const worker = await joinStreamWorker(hub);
      worker.send({ type: "publish", ref: "1", data: { run } });
      await worker.next();
      await worker[Symbol.asyncDispose]();
      // An empty run in between must not make a hole either.
      const more = run === 3 ? [] : numbered(4, 10 * run);
      if (more.length > 0) await publish(hub, more);
      const expected = [online(), JSON.stringify({ run }), OFFLINE, ...more];
      const messages = await fresh.messages(expected.length);
      expect(messages.map(({ data }) => data).toSorted()).toEqual(expected.toSorted());
      for (const { id, data } of messages) seen.push([id, texts.push(data)]);
      await end(hub, signal);
    }
    await using hub = await startOn(folder);
    expect(new Set(seen.map(([cursor]) => cursor)).size).toBeGreaterThanOrEqual(texts.length);
    for (const [cursor, before] of seen) expect(await resumeFrom(hub, cursor)).toEqual(texts.slice(before));
  });

  test("a client that was away during the restart misses nothing", async () => {
    await using folder = await createFolder();
    await using first = await startOn(folder);
    const client = await joinLive(first);
    await publish(first, numbered(5));
    expect(await client.texts(3)).toEqual(numbered(3));
    const since = client.cursor();
    await end(first, signal);
    await client[Symbol.asyncDispose]();

    await using second = await startOn(folder);
    await publish(second, numbered(5, 5));
    await using again = await joinStream(second, { since });
    expect(again.hello).toMatchObject({ resumed: true, cursor: since });
    expect((await again.untilLive()).messages.map(({ data }) => data)).toEqual(numbered(7, 3));
    await publish(second, numbered(1, 10));
    expect(await again.texts(1)).toEqual(numbered(1, 10));
  });

  test("texts come back byte for byte, and filters still work", async () => {
    await using folder = await createFolder();
    const texts = [
      '{ "type" : "A" ,\r\n"n": 12345678901234567890, "f": 1.0 }',
      '{"type":"B","s":"\\u0000\\ud800 é 🔑 \\" \'"}',
      '{"a":1,"a":2}',
      `{"type":"A","long":"${"é".repeat(300_000)}"}`,
      '{"type":"","n":1}',
    ];
    {
      await using hub = await startOn(folder);
      for (const text of texts) await publish(hub, text);
      await end(hub, signal);
    }
    await using hub = await startOn(folder);
    expect(await resumeFrom(hub, "earliest")).toEqual(texts);
    await using client = await joinStream(hub, { since: "earliest", types: "A" });
    expect((await client.untilLive()).messages.map(({ data }) => data)).toEqual([
      texts[0] as string,
      texts[3] as string,
    ]);
  });

  test("a key still stands for its first answer, and for nothing else", async () => {
    await using folder = await createFolder();
    const key = (name: string): Record<string, string> => ({ "idempotency-key": name });
    let answers: unknown[];
    const ask = async (hub: Hub): Promise<unknown[]> => {
      const [single, batch] = [
        await publish(hub, '{"n":1}', key("single")),
        await publish(hub, numbered(3), key("batch")),
      ];
      return [
        single.ids,
        batch.ids,
        acceptedOf(await sendCommand(hub, '{"n":2}', { headers: key("command") })),
      ];
    };
    {
      await using hub = await startOn(folder);
      answers = await ask(hub);
      await end(hub, signal);
    }
    await using hub = await startOn(folder);
    expect(await ask(hub)).toEqual(answers);
    for (const name of ["single", "batch", "command"]) {
      expectProblem(await postPublish(hub, '{"other":true}', key(name)), 422, "key_mismatch");
    }
    await using worker = await joinStreamWorker(hub);
    worker.send('{"type":"publish","ref":"1","key":"single","data":{"n":1}}');
    expect(await worker.next()).toEqual({ type: "ack", ref: "1", id: (answers[0] as string[])[0] as string });
    expect(await resumeFrom(hub, "earliest")).toEqual(['{"n":1}', ...numbered(3), online()]);
  });

  test("commands that wait are there, in order; what was sent counts its attempts on; what is done stays done", async () => {
    await using folder = await createFolder();
    const command = (n: number): string => `{"type":"TRIGGER_DOC_SYNC", "n":${n}}`;
    const ids: string[] = [];
    {
      await using hub = await startOn(folder);
      await using worker = await joinStreamWorker(hub);
      worker.send({ type: "register", metadata: {} });
      for (const n of [0, 1]) ids.push(acceptedOf(await sendCommand(hub, command(n))).id);
      expect([(await worker.next()).type, (await worker.next()).type]).toEqual(["command", "command"]);
      worker.send({ type: "ack", id: ids[0] });
      await worker.untilPong();
      await worker.leave();
      await untilNoWorker(hub);
      for (const n of [2, 3]) ids.push(acceptedOf(await sendCommand(hub, command(n))).id);
      await end(hub, signal);
    }
    await using hub = await startOn(folder);
    const states = await Promise.all(ids.map((id) => stateOf(hub, id)));
    expect(states.map(({ status, attempts }) => [status, attempts])).toEqual([
      ["acknowledged", 1],
      ["sent", 1],
      ["queued", 0],
      ["queued", 0],
    ]);
    ids.push(acceptedOf(await sendCommand(hub, command(4))).id);
    await using worker = await joinStreamWorker(hub);
    worker.send({ type: "register", metadata: {} });
    const expected = [1, 2, 3, 4].map((n) => ({
      type: "command" as const,
      id: ids[n] as string,
      attempt: n === 1 ? 2 : 1,
      data: command(n),
    }));
    expect(await framesOf(worker, 4)).toEqual(expected);
    expect(await worker.untilPong()).toEqual([]);
  });
});

async function framesOf(worker: StreamSocket, count: number): Promise<unknown[]> {
  const frames: unknown[] = [];
  while (frames.length < count) frames.push(await worker.next());
  return frames;
}

test("what a smaller limit no longer holds is evicted, not forgotten silently", async () => {
  await using folder = await createFolder();
  let ids: readonly string[];
  {
    await using hub = await startOn(folder);
    ids = (await publish(hub, numbered(30))).ids;
    await hub.stop();
  }
  await using hub = await startOn(folder, { HISTORY_MESSAGES: "10" });
  expect(await resumeFrom(hub, ids[18] as string)).toBe("evicted");
  expect(await resumeFrom(hub, ids[19] as string)).toEqual(numbered(10, 20));
  expect(await resumeFrom(hub, "earliest")).toEqual(numbered(10, 20));
});

test("the age of a message counts on over a restart", async () => {
  await using folder = await createFolder();
  let ids: readonly string[];
  {
    await using hub = await startOn(folder);
    ids = (await publish(hub, numbered(3))).ids;
    await hub.stop();
  }
  await using hub = await startOn(folder, { HISTORY_TTL_MS: "100" });
  const aged = async (): Promise<void> => {
    while ((await resumeFrom(hub, ids[0] as string)) !== "evicted") await Bun.sleep(10);
  };
  await within(aged(), "eviction");
  expect(await resumeFrom(hub, ids[2] as string)).toEqual([]);
});

test("two hubs with files of their own do not take each other's cursors", async () => {
  await using folder = await createFolder();
  await using one = await startOn(folder);
  await using two = await startOn(folder, { HISTORY_FILE: folder.file("other.db") });
  const { ids } = await publish(one, numbered(5));
  await publish(two, numbered(5));
  for (const id of ids) expect(await resumeFrom(two, id)).toBe("unknown");
});
