import { expect, setDefaultTimeout, test } from "bun:test";
import { publishAt } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { createProxy } from "../../support/proxy.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";

// Fifty tabs' worth of clients behind a hub that restarts come back spread out, not at once, and miss nothing.

setDefaultTimeout(90_000);

const CLIENTS = 50;
const FIRST_MS = 3_000;

/** How many of these moments lie in the fullest window of this length. */
function most(atMs: readonly number[], windowMs: number): number {
  return Math.max(...atMs.map((from) => atMs.filter((at) => at >= from && at < from + windowMs).length));
}

test.each(["killed", "stopped"] as const)("a hub that is %s", async (how) => {
  await using folder = await createFolder();
  await using hub = createMortalHub({ HISTORY_FILE: folder.file("history.db"), DRAIN_TIMEOUT_MS: "500" });
  hub.start();
  await within(hub.up(), "the hub");
  await using proxy = createProxy(hub.url);
  const subscribers: Subscriber[] = [];
  try {
    for (let count = 0; count < CLIENTS; count += 1)
      subscribers.push(
        subscribe(proxy.url, { transport: "websocket", backoff: { firstMs: FIRST_MS, limitMs: 30_000 } }),
      );
    const open = (): number => subscribers.filter(({ connection }) => connection.state === "open").length;
    for (const subscriber of subscribers)
      await subscriber.when("the stream", () => subscriber.connection.state === "open");
    // What each has decided when it lost the connection: a slow machine does not change that.
    const delaysMs: number[] = [];
    const decided = subscribers.map(({ connection, when }) =>
      when("the decision", () => {
        const { state, nextTryAtMs } = connection.info();
        if (state !== "waiting" || nextTryAtMs === undefined) return false;
        delaysMs.push(nextTryAtMs - Date.now());
        return true;
      }),
    );
    if (how === "killed") await hub.kill();
    else await hub.stop();
    await Promise.all(decided);
    expect(delaysMs).toHaveLength(CLIENTS);
    expect(Math.max(...delaysMs) - Math.min(...delaysMs)).toBeGreaterThan(FIRST_MS / 2);
    // Even as chance draws them: about 5 in each tenth.
    expect(most(delaysMs, FIRST_MS / 10)).toBeLessThan(CLIENTS / 2);

    const before = proxy.acceptedAtMs.length;
    hub.start();
    await within(hub.up(), "the hub, again");
    for (const subscriber of subscribers)
      await subscriber.when("the stream, again", () => subscriber.connection.state === "open");
    expect(open()).toBe(CLIENTS);
    // And so they arrived: never half of them in a tenth of the time.
    expect(most(proxy.acceptedAtMs.slice(before), FIRST_MS / 10)).toBeLessThan(CLIENTS / 2);
    await publishAt(hub.url, ['{"n":1}']);
    await Promise.all(subscribers.map((subscriber) => subscriber.until('{"n":1}')));
    for (const { texts, resets } of subscribers) {
      expect(texts).toEqual(['{"n":1}']);
      expect(resets).toEqual([]);
    }
  } finally {
    for (const subscriber of subscribers) subscriber[Symbol.dispose]();
  }
});
