import { publishLines } from "../support/api.ts";
import type { Hub } from "../support/hub.ts";
import { joinWorker, register } from "../support/parties.ts";
import { createRandom, type Random } from "../support/random.ts";
import type { Console } from "./console.ts";

/** So many seconds of traffic are played, in a fraction of the time. */
const SECONDS = 130;
/** The worker is away for a while. */
const GONE = { from: 66, to: 76 };

/**
 * Plays minutes of a working day to a page whose clock is the test's: a worker that indexes documents, goes and comes back.
 * Time runs by itself again when it is over.
 */
export async function playScene(page: Console, hub: Hub): Promise<void> {
  const random = createRandom(11);
  const name = register({ hostname: "indexer-2", version: "4.1.0", os: "linux", pid: 2041 });
  let worker = await joinWorker(hub);
  worker.send(name);
  for (let second = 0; second < SECONDS; second += 1) {
    if (second === GONE.from) await worker.close();
    if (second === GONE.to) {
      worker = await joinWorker(hub);
      worker.send(name);
    }
    const isGone = second >= GONE.from && second < GONE.to;
    const wave = 26 + 14 * Math.sin(second / 13) + random.below(9);
    const count = isGone ? random.below(3) : Math.round(wave + (second % 47 === 0 ? 38 : 0));
    const lines = Array.from({ length: count }, () => messageOf(random));
    if (lines.length > 0) await publishLines(hub, lines);
    // What was published before this question has reached the page when it is answered.
    await page.page.evaluate(`fetch("api/v1/worker").then((answer) => answer.text())`);
    await page.page.clock.runFor(1_000);
  }
  await page.page.clock.resume();
}

function messageOf(random: Random): string {
  const id = `doc-${10_000 + random.below(90_000)}`;
  const total = 8 + random.below(40);
  const kind = random.below(100);
  const message =
    kind < 68
      ? { type: "DOC_PROGRESS", doc_id: id, processed: random.below(total), total }
      : kind < 82
        ? { type: "DOC_UPDATE", id, status: "indexed", details: `${total} chunks`, duration_ms: total * 61 }
        : kind < 90
          ? { type: "CONNECTOR_PROGRESS", id: "sharepoint", current: total, total: 120 }
          : kind < 96
            ? { type: "DASHBOARD_STATS", documents: 48_211 + total, vectors: 1_940_022, queue: total }
            : { type: "CONNECTOR_STATUS", id: "sharepoint", status: "syncing", error: null };
  return JSON.stringify(message);
}
