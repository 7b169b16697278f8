import { nameOf } from "./ledger.ts";
import { FILTER } from "./messages.ts";
import { postUntilAnswered } from "./post.ts";
import type { Run } from "./run.ts";

/** @returns the cursor of a message that passes every observer's filter */
export async function publishMarker(run: Run): Promise<string> {
  const origin = { from: "marker", n: 1 };
  const body = JSON.stringify({ type: FILTER[0], ...origin });
  run.ledger.offered(nameOf(origin), body);
  const { ids } = await postUntilAnswered(run, { path: "/api/v1/publish", key: "marker", body });
  const cursor = Array.isArray(ids) ? String(ids[0]) : "";
  run.ledger.acknowledged(nameOf(origin), cursor);
  return cursor;
}
