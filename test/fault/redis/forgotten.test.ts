import { expect } from "bun:test";
import { cp, rm } from "node:fs/promises";
import { publishOne } from "../../support/api.ts";
import { createFolder } from "../../support/folder.ts";
import { startHub } from "../../support/hub.ts";
import { joinClient, OFFLINE } from "../../support/parties.ts";
import { untilReadiness } from "../../support/ready.ts";
import { type Redis, startRedis, testWithRedis } from "../../support/redis.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinStream } from "../../support/streamclient.ts";
import { checkSameView } from "./attempts.ts";
import { follow } from "./follower.ts";
import { LEASE_MS, TIMEOUT_MS } from "./scene.ts";

// Redis comes back with less than it has acknowledged. What is gone is gone; but every client is told, no cursor of what
// is gone is resumed from, and none comes to mean a second message.

const message = (n: number): string => `{"type":"DOC_UPDATE","n":${n}}`;

interface Loss {
  /** What of the first ten messages is still there afterwards. */
  readonly kept: number;
  /** Called when six of them have been published, and when all have been. */
  readonly half?: (redis: Redis, folder: string, backup: string) => Promise<void>;
  readonly lose: (redis: Redis, folder: string, backup: string) => Promise<void>;
}

const LOSSES: Readonly<Record<string, Loss>> = {
  "with nothing": {
    kept: 0,
    lose: (redis) => redis.restart({ keepData: false }),
  },
  "with an older copy of its data": {
    kept: 6,
    half: (_, folder, backup) => cp(folder, backup, { recursive: true }),
    async lose(redis, folder, backup) {
      await redis.kill();
      await rm(folder, { recursive: true });
      await cp(backup, folder, { recursive: true });
      await redis.start();
    },
  },
  "emptied, without a restart": {
    kept: 0,
    lose: async (redis) => void (await redis.cli("FLUSHALL")),
  },
};

for (const [name, { kept, half, lose }] of Object.entries(LOSSES)) {
  testWithRedis(
    `Redis comes back ${name}: every hole is told, and no cursor means two messages`,
    async () => {
      await using folder = await createFolder();
      await using backup = await createFolder();
      await using redis = await startRedis({ dir: folder.path });
      const env = {
        REDIS_URL: redis.url,
        REDIS_TIMEOUT_MS: String(TIMEOUT_MS),
        WORKER_LEASE_MS: String(LEASE_MS),
      };
      await using one = await startHub({ env });
      await using two = await startHub({ env });
      const meanings = new Map<string, string>();
      using first = await follow(one, meanings);
      using second = await follow(two, meanings);
      await using raw = await joinClient(one, OFFLINE);
      await using sse = await joinLiveSse(two);
      const before: string[] = [];
      for (let n = 0; n < 10; n++) {
        if (n === 6) await half?.(redis, folder.path, backup.path);
        before.push(await publishOne(n % 2 === 0 ? one : two, message(n)));
      }
      await Promise.all([first.untilText(message(9)), second.untilText(message(9))]);

      await lose(redis, folder.path, backup.path);
      for (const { url } of [one, two]) await untilReadiness(url, 200);
      // A hub may notice it only at what comes next.
      const after = [await publishOne(one, message(10)), await publishOne(two, message(11))];
      expect(after.filter((cursor) => before.includes(cursor))).toEqual([]);
      for (const follower of [first, second]) {
        await follower.until("word of the hole", () => follower.hellos.length === 2);
        expect(follower.closes.map(({ code }) => code)).toEqual([1012]);
        expect(follower.hellos[1]).toMatchObject({ resumed: false, reason: "unknown" });
      }
      expect((await raw.closed).code).toBe(1012);
      await sse.ended;

      // Nobody resumes from what is gone.
      for (const cursor of before.slice(kept)) {
        for (const hub of [one, two]) {
          await using client = await joinStream(hub, { since: cursor });
          expect(client.hello.resumed).toBe(false);
        }
      }
      const last = [await publishOne(two, message(12)), await publishOne(one, message(13))];
      expect(new Set([...before, ...after, ...last]).size).toBe(14);
      await Promise.all([first.untilText(message(13)), second.untilText(message(13))]);
      const tail = (texts: readonly { cursor: string; text: string }[]) => texts.slice(-2);
      checkSameView(tail(first.seen), tail(second.seen));
      using late = await follow(two, meanings, after[1] ?? "");
      expect(late.texts()).toEqual([message(12), message(13)]);
    },
  );
}
