import type { Follower, Seen } from "./follower.ts";

/** A worker's status as a client is told of it: `offline`, or what its metadata says. */
export type Told = "offline" | Readonly<Record<string, unknown>>;

/** What a follower was told of the worker, in order. */
export function statusesOf(follower: Pick<Follower, "texts">): Told[] {
  return follower
    .texts()
    .map((text) => JSON.parse(text))
    .filter(({ type }) => type === "WORKER_STATUS")
    .map(({ status, metadata }) => (status === "offline" ? "offline" : metadata));
}

/** Resolves when the follower was told that many changes of the worker's status. */
export async function untilStatuses(follower: Follower, count: number): Promise<Told[]> {
  await follower.until(`${count} statuses`, () => statusesOf(follower).length >= count);
  return statusesOf(follower);
}

/** What a worker publishes that calls itself so: its messages can be told from those of another. */
export function saying(by: string, n: number): string {
  return JSON.stringify({ type: "DOC_UPDATE", by, n });
}

/** The numbers of what this worker published that stand in the stream after the first status that names its successor. */
export function saidAfter(seen: readonly Seen[], by: string, successor: string): number[] {
  const messages = seen.map(({ text }) => JSON.parse(text));
  const from = messages.findIndex(
    ({ type, metadata }) => type === "WORKER_STATUS" && metadata?.name === successor,
  );
  if (from === -1) throw new Error(`${successor} was never announced`);
  return messages
    .slice(from)
    .filter((one) => one.by === by)
    .map(({ n }) => n);
}
