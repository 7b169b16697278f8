import { describe, expect, test } from "bun:test";
import { copyFile, rm, stat, truncate } from "node:fs/promises";
import { createFolder, type Folder } from "../../support/folder.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { numbered, publish } from "../../support/publish.ts";
import { joinLive, joinStream } from "../../support/streamclient.ts";

// PROTOCOL.md section 3: every start opens a new epoch. A history that has lost its newest part. No cursor of
// that part may ever be taken for another position.

/** SQLite keeps the newest writes in a second file until it ends in good order. */
const FILES = ["history.db", "history.db-wal"];

const startOn = (folder: Folder): Promise<Hub> =>
  startHub({ env: { HISTORY_FILE: folder.file("history.db") } });

async function copyHistory(from: Folder, to: Folder): Promise<void> {
  for (const name of FILES) {
    await rm(to.file(name), { force: true });
    if (await Bun.file(from.file(name)).exists()) await copyFile(from.file(name), to.file(name));
  }
}

async function kill(hub: Hub): Promise<void> {
  hub.kill("SIGKILL");
  await hub.exited;
}

/** What a client gets that resumes from there: the reason if nothing, else the texts. */
async function resumeFrom(hub: Hub, since: string): Promise<string[] | string | undefined> {
  await using client = await joinStream(hub, { since });
  const { messages } = await client.untilLive();
  return client.hello.resumed ? messages.map(({ data }) => data) : client.hello.reason;
}

/** Checks every cursor against what the history holds now: those of the lost part stay unknown, whatever is published. */
async function expectLost(hub: Hub, kept: readonly string[], lost: readonly string[]): Promise<void> {
  for (const more of [0, 2, lost.length + 10]) {
    const { ids } = more === 0 ? { ids: [] } : await publish(hub, numbered(more, 1_000));
    for (const id of ids) expect([...kept, ...lost]).not.toContain(id);
    for (const since of lost) expect(await resumeFrom(hub, since)).toBe("unknown");
    const all = await resumeFrom(hub, "earliest");
    for (const [at, since] of kept.entries())
      expect(await resumeFrom(hub, since)).toEqual(all?.slice(at + 1));
  }
}

describe("a backup that is put back", () => {
  test("from between two runs: cursors of the later run are unknown, those of the earlier one resume", async () => {
    await using folder = await createFolder();
    await using aside = await createFolder();
    let kept: readonly string[];
    {
      await using hub = await startOn(folder);
      kept = (await publish(hub, numbered(5))).ids;
      expect(await hub.stop()).toBe(0);
    }
    await copyHistory(folder, aside);
    const lost: string[] = [];
    for (const run of [1, 2]) {
      await using hub = await startOn(folder);
      await using client = await joinLive(hub);
      lost.push(...(await publish(hub, numbered(5, run * 5))).ids);
      await client.messages(5);
      await hub.stop();
    }
    await copyHistory(aside, folder);
    await using hub = await startOn(folder);
    expect(await resumeFrom(hub, "earliest")).toEqual(numbered(5));
    await expectLost(hub, kept, lost);
  });

  test("from the middle of a run: cursors of that very run are told apart", async () => {
    await using folder = await createFolder();
    await using aside = await createFolder();
    let kept: readonly string[];
    let lost: readonly string[];
    {
      await using hub = await startOn(folder);
      kept = (await publish(hub, numbered(5))).ids;
      await copyHistory(folder, aside);
      lost = (await publish(hub, numbered(5, 5))).ids;
      await kill(hub);
    }
    await copyHistory(aside, folder);
    await using hub = await startOn(folder);
    expect(await resumeFrom(hub, "earliest")).toEqual(numbered(5));
    await expectLost(hub, kept, lost);
  });

  test("twice, and each branch has cursors of its own", async () => {
    await using folder = await createFolder();
    await using aside = await createFolder();
    let kept: readonly string[];
    {
      await using hub = await startOn(folder);
      kept = (await publish(hub, numbered(5))).ids;
      await hub.stop();
    }
    await copyHistory(folder, aside);
    const branches: (readonly string[])[] = [];
    for (let branch = 0; branch < 3; branch++) {
      await copyHistory(aside, folder);
      await using hub = await startOn(folder);
      for (const lost of branches) await expectLost(hub, kept, lost);
      const { ids } = await publish(hub, numbered(5, 100 * branch));
      expect(await resumeFrom(hub, ids[1] as string)).toEqual(numbered(3, 100 * branch + 2));
      branches.push(ids);
      await (branch === 1 ? kill(hub) : hub.stop());
    }
    expect(new Set(branches.flat()).size).toBe(15);
  });
});

describe("a power loss that takes the newest writes", () => {
  test.each([0.9, 0.5, 0.1, 0])(
    "(%d of the write-ahead log is left) never gives a cursor two meanings",
    async (share) => {
      await using folder = await createFolder();
      const ids: string[] = [];
      {
        await using hub = await startOn(folder);
        ids.push(...(await publish(hub, numbered(3))).ids);
        await hub.stop();
      }
      {
        await using hub = await startOn(folder);
        for (let n = 3; n < 20; n++) ids.push(...(await publish(hub, numbered(1, n))).ids);
        await kill(hub);
      }
      const log = folder.file("history.db-wal");
      await truncate(log, Math.floor((await stat(log)).size * share));

      await using hub = await startOn(folder);
      const left = await resumeFrom(hub, "earliest");
      expect(left).toEqual(numbered(20).slice(0, left?.length));
      const count = left?.length ?? 0;
      expect(count).toBeGreaterThanOrEqual(3);
      expect(count).toBeLessThan(20);
      await expectLost(hub, ids.slice(0, count), ids.slice(count));
    },
  );
});
