import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, symlink, truncate } from "node:fs/promises";
import { createFolder, type Folder } from "../../support/folder.ts";
import { type HubEnv, startHub } from "../../support/hub.ts";
import { numbered, publish } from "../../support/publish.ts";
import { refusedStart } from "../../support/refused-start.ts";
import { testThatNeeds } from "../../support/skip.ts";
import { joinLive, joinStream } from "../../support/streamclient.ts";

// PROTOCOL.md section 3 and issue 3: a HISTORY_FILE that cannot be used is one clear line and exit code 1.

const on = (file: string): HubEnv => ({ HISTORY_FILE: file });

/** A file that a hub has written and left in good order. */
async function writtenFile(folder: Folder): Promise<string> {
  const file = folder.file("history.db");
  await using hub = await startHub({ env: on(file) });
  await publish(hub, numbered(100));
  expect(await hub.stop()).toBe(0);
  return file;
}

const bytesOf = async (file: string): Promise<string> => Bun.hash(await Bun.file(file).bytes()).toString(16);

describe("a file that is not the hub's", () => {
  const foreign: Readonly<Record<string, (file: string) => unknown>> = {
    "a short text": (file) => Bun.write(file, "remember the milk\n"),
    "a long text": (file) => Bun.write(file, "remember the milk\n".repeat(10_000)),
    "another program's database": (file) => {
      using db = new Database(file, { create: true });
      db.run("CREATE TABLE messages (id INTEGER PRIMARY KEY, text TEXT)");
      db.run("INSERT INTO messages (text) VALUES ('theirs')");
    },
    "another program's database that has an id of its own": (file) => {
      using db = new Database(file, { create: true });
      db.run("PRAGMA application_id = 1234567");
      db.run("PRAGMA user_version = 1");
      db.run("CREATE TABLE t (x)");
    },
    "a later hub's history": async (file) => {
      await using hub = await startHub({ env: on(file) });
      await hub.stop();
      using db = new Database(file);
      db.run("PRAGMA user_version = 99");
    },
  };

  test.each(Object.keys(foreign))("(%s) is refused and left as it is", async (name) => {
    await using folder = await createFolder();
    const file = folder.file("foreign.db");
    await foreign[name]?.(file);
    const before = await bytesOf(file);
    expect(await refusedStart(on(file))).toContain(file);
    expect(await bytesOf(file)).toBe(before);
    expect(await readdir(folder.path)).toEqual(["foreign.db"]);
  });

  test("(an empty one) is taken, and so is one that is not there yet", async () => {
    await using folder = await createFolder();
    await Bun.write(folder.file("empty.db"), "");
    for (const name of ["empty.db", "new.db"]) {
      await using hub = await startHub({ env: on(folder.file(name)) });
      await publish(hub, numbered(1));
      expect(await hub.stop()).toBe(0);
    }
    // A clean stop leaves one file each, which is all that a backup has to copy.
    expect((await readdir(folder.path)).toSorted()).toEqual(["empty.db", "new.db"]);
  });
});

describe("a file that cannot be read or written", () => {
  test("in a folder that is not there is refused", async () => {
    await using folder = await createFolder();
    const file = folder.file("missing/history.db");
    expect(await refusedStart(on(file))).toContain(file);
  });

  test("that is a folder is refused", async () => {
    await using folder = await createFolder();
    await mkdir(folder.file("history.db"));
    expect(await refusedStart(on(folder.file("history.db")))).toContain("history.db");
  });

  test("that is damaged is refused", async () => {
    await using folder = await createFolder();
    const file = await writtenFile(folder);
    const bytes = await Bun.file(file).bytes();
    await Bun.write(file, bytes.fill(0xff, 100));
    expect(await refusedStart(on(file))).toContain(file);
  });

  test("that was cut off is refused", async () => {
    await using folder = await createFolder();
    const file = await writtenFile(folder);
    await truncate(file, 4_096 + 100);
    expect(await refusedStart(on(file))).toContain(file);
  });

  /** Root may write everything; so the hub is run as somebody else. */
  const nobody =
    process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const canBeNobody =
    nobody.length === 0 || Bun.spawnSync([...nobody, process.execPath, "--version"]).success;
  const userTest = testThatNeeds("setpriv, or not to be root", canBeNobody);

  userTest("that may only be read is refused, and so is one in a folder that may only be read", async () => {
    await using folder = await createFolder();
    const file = await writtenFile(folder);
    await chmod(folder.path, 0o777);
    await chmod(file, 0o444);
    expect(await refusedStart(on(file), nobody)).toMatch(/cannot be written/);

    await chmod(file, 0o666);
    await chmod(folder.path, 0o555);
    expect(await refusedStart(on(file), nobody)).toMatch(/cannot be written/);
    expect(await refusedStart(on(folder.file("new.db")), nobody)).toContain("new.db");

    await chmod(folder.path, 0o777);
    await using hub = await startHub({ env: on(file), wrapper: nobody });
    await using client = await joinStream(hub, { since: "earliest" });
    expect((await client.untilLive()).messages).toHaveLength(100);
  });

  userTest("that may not even be read is refused", async () => {
    await using folder = await createFolder();
    const file = await writtenFile(folder);
    await chmod(folder.path, 0o777);
    await chmod(file, 0o000);
    expect(await refusedStart(on(file), nobody)).toContain(file);
  });

  const hasPrlimit = Bun.which("prlimit") !== null;
  const limitTest = testThatNeeds("prlimit", hasPrlimit);

  limitTest("that does not fit on the disk is refused", async () => {
    await using folder = await createFolder();
    const file = folder.file("history.db");
    expect(await refusedStart(on(file), ["prlimit", "--fsize=4096"])).toContain(file);
    // Nothing of it is in the way once there is room.
    await using hub = await startHub({ env: on(file) });
    await publish(hub, numbered(1));
  });
});

describe("a file that another hub holds", () => {
  test("is refused, under any of its names, and that hub notices nothing", async () => {
    await using folder = await createFolder();
    const file = folder.file("history.db");
    await symlink(file, folder.file("link.db"));
    await using first = await startHub({ env: on(file) });
    await using client = await joinLive(first);
    await publish(first, numbered(3));
    for (const name of ["history.db", "link.db", "./history.db"]) {
      const line = await refusedStart(on(`${folder.path}/${name}`));
      expect(line).toContain(name);
      expect(line).toMatch(/in use/i);
    }
    const { ids } = await publish(first, numbered(3, 3));
    expect(await client.texts(6)).toEqual(numbered(6));

    // Its end, however it comes, frees the file.
    first.kill("SIGKILL");
    await first.exited;
    await using second = await startHub({ env: on(file) });
    await using again = await joinStream(second, { since: ids[0] as string });
    expect((await again.untilLive()).messages.map(({ data }) => data)).toEqual(numbered(2, 4));
  });
});
