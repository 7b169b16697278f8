import { describe, expect, test } from "bun:test";
import { call, expectProblem, publish, publishLines, receiptOf } from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { createFolder } from "../support/folder.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { joinClient } from "../support/parties.ts";
import { seriesValue } from "../support/scrape.ts";
import { testThatNeeds } from "../support/skip.ts";
import { joinLiveSse, joinSse } from "../support/sse-stream.ts";

// CANARY_INTERVAL_MS: a probe through the whole path, which nobody sees who does not ask for it.

const ROUND_TRIP = "vectra_canary_round_trip_seconds";

async function canaryIsWell(hub: Hub): Promise<boolean> {
  const { status, body } = await call(hub, "/readyz");
  const { ok } = JSON.parse(body).checks.canary;
  if (!ok) expect(status).toBe(503);
  return ok;
}

/** Nothing tells of a check that turns: it has to be asked. */
function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const asking = async (): Promise<void> => {
    while (!(await holds())) await Bun.sleep(20);
  };
  return within(asking(), what);
}

test("without it there is no probe, no check and no metric", async () => {
  await using hub = await startHub();
  expect(JSON.parse((await call(hub, "/readyz")).body).checks).not.toHaveProperty("canary");
  expect((await call(hub, "/metrics")).body).not.toContain(ROUND_TRIP);
});

describe("a probe", () => {
  const env = { CANARY_INTERVAL_MS: "50" };

  test("goes round, and its time is exported", async () => {
    await using hub = await startHub({ env });
    await until("round trip", async () => (await seriesValue(hub, ROUND_TRIP)) > 0);
    expect(await canaryIsWell(hub)).toBe(true);
  });

  test("is shown to nobody, live or replayed, unless they ask for it", async () => {
    await using hub = await startHub({ env });
    await using raw = await joinClient(hub);
    await using all = await joinLiveSse(hub);
    await using asking = await joinLiveSse(hub, { types: "VECTRA_CANARY" });
    const probe = await asking.nextMessage();
    expect(JSON.parse(probe.data).type).toBe("VECTRA_CANARY");

    const { ids } = receiptOf(await publishLines(hub, ['{"type":"MARK"}']));
    expect(await raw.next()).toBe('{"type":"MARK"}');
    expect((await all.nextMessage()).id).toBe(ids[0] ?? "");
    await using late = await joinSse(hub, { since: "earliest" });
    const { messages } = await late.untilLive();
    expect(messages.map(({ data }) => data)).toEqual(['{"type":"MARK"}']);
  });

  test("cannot be forged", async () => {
    await using hub = await startHub({ env });
    expectProblem(await publish(hub, '{"type":"VECTRA_CANARY"}'), 400, "reserved_type");
  });
});

const lostTest = testThatNeeds("prlimit", Bun.which("prlimit") !== null);

lostTest("a probe that is lost turns /readyz red, until one comes through again", async () => {
  await using folder = await createFolder();
  await using hub = await startHub({
    env: { CANARY_INTERVAL_MS: "100", HISTORY_FILE: folder.file("history.db") },
  });
  await until("the first probe", async () => (await seriesValue(hub, ROUND_TRIP)) > 0);
  const limitFiles = (limit: string): void => {
    const done = Bun.spawnSync(["prlimit", `--pid=${hub.pid}`, `--fsize=${limit}:unlimited`]);
    if (!done.success) throw new Error(done.stderr.toString());
  };
  limitFiles("1");
  await until("the loss", async () => !(await canaryIsWell(hub)));
  expect(await seriesValue(hub, ROUND_TRIP)).toBe(-1);
  limitFiles("unlimited");
  await until("the recovery", () => canaryIsWell(hub));
  await until("the next probe", async () => (await seriesValue(hub, ROUND_TRIP)) > 0);
});
