import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { within } from "../support/deadline.ts";
import { createFolder } from "../support/folder.ts";
import type { HubEnv } from "../support/hub.ts";
import { createMortalHub } from "../support/mortal-hub.ts";
import { refusedStart } from "../support/refused-start.ts";
import { testThatNeeds } from "../support/skip.ts";
import { startFleet } from "./restart/fleet.ts";
import type { Standing } from "./restart/fleet-process.ts";
import { startPublisher } from "./restart/steady-publisher.ts";

// A hub with thousands of clients is drained, ends, and starts again at the same address, while messages are published.

const CLIENTS = 5_000;
/** For the hub: its clients, and what it has open by itself. */
const OPEN_FILES = CLIENTS + 500;
const DRAIN = { DRAIN_TIMEOUT_MS: "1000" };
/** How many messages are to come before and after. */
const MESSAGES = 20;

setDefaultTimeout(120_000);

/** Bun raises the soft limit to this. */
function openFilesLimit(): number {
  try {
    const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
  } catch {
    return 0;
  }
}

const restartTest = testThatNeeds(`${OPEN_FILES} open files`, openFilesLimit() >= OPEN_FILES);

/** How many of the values are in each tenth of their range. */
function tenths(values: readonly number[]): number[] {
  const low = Math.min(...values);
  const width = (Math.max(...values) - low) / 10;
  const counts = new Array<number>(10).fill(0);
  for (const value of values) {
    const at = Math.min(9, Math.floor((value - low) / width));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

/** One restart under load. @returns how the fleet stands when all are back and have got everything */
async function restart(env: HubEnv, patience: number): Promise<Standing> {
  await using hub = createMortalHub({ ...DRAIN, ...env });
  hub.start();
  await within(hub.up(), "the hub");
  await using fleet = startFleet(hub.url, CLIENTS, patience);
  await fleet.until("all are live", ({ live }) => live === CLIENTS);
  await using publisher = startPublisher(hub.url);
  await fleet.until("all get messages", ({ slowest }) => slowest >= MESSAGES);

  expect(await hub.stop()).toBe(0);
  const gone = await fleet.until(
    "all are sent away",
    ({ live, goodbyes }) => live === 0 && goodbyes === CLIENTS,
  );
  expect(gone.closes).toEqual({ 1012: CLIENTS });
  expect(gone.announcedMs).toHaveLength(CLIENTS);
  hub.start();
  await within(hub.up(), "the hub, again");

  await fleet.until(
    "all are back",
    ({ live, arrivedMs }) => live === CLIENTS && arrivedMs.length === CLIENTS,
  );
  const aim = publisher.acknowledged() + MESSAGES;
  await fleet.until("all get messages again", ({ slowest }) => slowest >= aim);
  const last = await publisher.finish();
  const end = await fleet.until("all have got everything", ({ slowest }) => slowest === last);
  expect({ live: end.live, fastest: end.fastest }).toEqual({ live: CLIENTS, fastest: last });
  return end;
}

restartTest(
  "with a history file nobody misses a message, and the fleet returns spread over the time announced",
  async () => {
    await using folder = await createFolder();
    const { returns, announcedMs, arrivedMs } = await restart({ HISTORY_FILE: folder.file("history.db") }, 1);
    expect(returns).toEqual({ resumed: CLIENTS });
    // Even as chance draws it: 500 are expected in each tenth.
    for (const count of tenths(announcedMs)) expect(count).toBeWithin(CLIENTS / 20, CLIENTS / 6);
    expect(Math.max(...announcedMs) - Math.min(...announcedMs)).toBeGreaterThan(4_000);
    // They came when they were told to: not in a crowd.
    for (const count of tenths(arrivedMs)) expect(count).toBeLessThan(CLIENTS / 2);
  },
);

restartTest("without one each of them is told that it has missed something", async () => {
  const { returns } = await restart({}, 0.2);
  expect(returns).toEqual({ unknown: CLIENTS });
});

test("while a hub drains, its history file is its own; then the next one takes it over", async () => {
  await using folder = await createFolder();
  const env = { HISTORY_FILE: folder.file("history.db"), DRAIN_DELAY_MS: "1500" };
  await using hub = createMortalHub(env);
  hub.start();
  await within(hub.up(), "the hub");
  const ended = hub.stop();
  const line = await refusedStart({ ...env, PORT: "0" });
  expect(line).toContain(env.HISTORY_FILE);
  expect(line).toMatch(/in use by another hub/);
  expect(await ended).toBe(0);
  hub.start();
  await within(hub.up(), "the hub, again");
});
