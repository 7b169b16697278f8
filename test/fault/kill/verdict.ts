import { within } from "../../support/deadline.ts";
import { SECRET } from "../../support/hub.ts";
import type { StreamTransport } from "../../support/stream.ts";
import { brief, nameOf } from "./ledger.ts";
import type { Observer } from "./observer.ts";
import type { Run } from "./run.ts";

const WORKER_STATUS = "WORKER_STATUS";
/** The whole history may be large. */
const READ_LIMIT_MS = 60_000;
const STATES_AT_ONCE = 16;

/** Reads everything that the hub holds. @returns the cursors, in order */
export async function readHistory(run: Run, transport: StreamTransport): Promise<string[]> {
  const cursors: string[] = [];
  const connection = transport({
    url: run.hub.url,
    since: "earliest",
    take(event) {
      if (event.kind === "live") connection.drop();
      if (event.kind !== "message") return;
      run.ledger.seen(event.cursor, event.text);
      cursors.push(event.cursor);
    },
  });
  await within(connection.ended, "the whole history", READ_LIMIT_MS);
  return cursors;
}

/** Fails unless the stream holds every message that was sent exactly once, where it was acknowledged, and nothing else. */
export function checkStream(run: Run, cursors: readonly string[]): void {
  const { texts, receipts, meanings } = run.ledger;
  const places = new Map<string, string>();
  const newest = new Map<string, number>();
  if (new Set(cursors).size !== cursors.length) throw new Error("a cursor stands twice in the history");
  for (const cursor of cursors) {
    const text = meanings.get(cursor) ?? "";
    const { type, from, n } = JSON.parse(text);
    if (type === WORKER_STATUS) continue;
    const name = nameOf({ from, n });
    if (texts.get(name) !== text) throw new Error(`${cursor} is ${brief(text)}, which nobody sent`);
    const earlier = places.get(name);
    if (earlier !== undefined) throw new Error(`${name} stands at ${earlier} and again at ${cursor}`);
    places.set(name, cursor);
    if (n <= (newest.get(from) ?? 0)) throw new Error(`${name} stands after ${from}/${newest.get(from)}`);
    newest.set(from, n);
  }
  for (const [name, cursor] of receipts) {
    const place = places.get(name);
    if (place !== cursor) throw new Error(`${name} was acknowledged at ${cursor} and stands at ${place}`);
  }
  for (const name of texts.keys()) if (!receipts.has(name)) throw new Error(`${name} was never acknowledged`);
}

/** Fails unless the observer was sent exactly the part of the stream that it asked for. */
export function checkObserver(run: Run, observer: Observer, stream: readonly string[]): void {
  const { types } = observer;
  const expected = stream.filter((cursor) => {
    if (types === undefined) return true;
    const { type } = JSON.parse(run.ledger.meanings.get(cursor) ?? "{}");
    return type === WORKER_STATUS || types.includes(type);
  });
  const last = expected.at(-1) ?? "";
  checkSame(observer.name, observer.cursors.slice(0, observer.cursors.indexOf(last) + 1), expected);
}

/** Fails with the first difference between what was seen and what there is to see. */
export function checkSame(who: string, seen: readonly string[], expected: readonly string[]): void {
  for (let at = 0; at < Math.max(seen.length, expected.length); at += 1) {
    if (seen[at] === expected[at]) continue;
    throw new Error(
      `${who} saw ${seen.length} of ${expected.length} messages: after ${seen[at - 1]} it saw ${seen[at]}, ` +
        `and ${expected[at]} stands there`,
    );
  }
}

/** Fails unless every command that was answered 202 reached the worker, and the hub knows that it did. */
export async function checkCommands(run: Run): Promise<void> {
  const { ids, attempts } = run.commands;
  const check = async ([name, id]: [string, string]): Promise<void> => {
    const response = await fetch(`${run.hub.url}/api/v1/worker/messages/${id}`, {
      headers: { "x-worker-secret": SECRET },
    });
    const state = await response.text();
    const delivered = attempts.get(name);
    if (delivered === undefined)
      throw new Error(`the command ${name} never reached the worker: ${response.status} ${state}`);
    if (response.status !== 200) throw new Error(`the command ${name}: ${response.status} ${state}`);
    const { status, attempts: counted } = JSON.parse(state);
    if (status !== "acknowledged" || counted < delivered)
      throw new Error(`the command ${name} was acknowledged at attempt ${delivered}: ${state}`);
  };
  const all = [...ids];
  while (all.length > 0) await Promise.all(all.splice(0, STATES_AT_ONCE).map(check));
}
