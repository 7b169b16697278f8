import { overRaw } from "../property/raw-transport.ts";
import { overSse, overWebSocket, type StreamConnection, type StreamEvent } from "../support/stream.ts";
import type { Line } from "./line.ts";
import { BULK, TYPES } from "./messages.ts";
import { type Receipts, SEEN_LIMIT_MS } from "./receipts.ts";
import { about, pause, type Scene } from "./scene.ts";
import { createStretch, type Stretch, type StretchOptions, UNKNOWN_CURSOR } from "./stretch.ts";

export interface WitnessOptions {
  readonly scene: Scene;
  readonly line: Line;
  readonly receipts: Receipts;
  readonly kept: StretchOptions["kept"];
  readonly isRestarted: boolean;
  /** How many come and go with cursors, beside those that stay. */
  readonly roamers: number;
}

const CHECK_INTERVAL_MS = 500;
const ROAMER_STAY_MS = 4_000;
const RETURN_MS = 300;
const LONG_ABSENCE_MS = 45_000;

/** Who is connected now, and the latest that the line had reached when it was last looked at. */
interface Watched {
  readonly name: string;
  readonly stretch: Stretch;
  readonly stays: boolean;
  isOver: boolean;
  waitingSinceMs: number | undefined;
}

/**
 * Clients that remember what they were told and compare it with what the first of them saw: one per transport stays all
 * the time, the others come and go, with filters and with cursors old and new. Resolves when the first is there, before
 * which nothing may be published.
 * @returns what resolves when all have gone
 */
export async function startWitnesses(options: WitnessOptions): Promise<{ readonly gone: Promise<unknown> }> {
  const { scene, roamers } = options;
  const watched = new Set<Watched>();
  const scribe = await startScribe(options);
  scene.over.addEventListener("abort", scribe.drop);
  const gone = Promise.all([
    scribe.ended,
    stay(options, watched, "sse"),
    stay(options, watched, "raw"),
    ...Array.from({ length: roamers }, (_, n) => roam(options, watched, n)),
    checkAll(options, watched),
  ]);
  return { gone };
}

/** The first witness, which writes the line. It is live when this resolves, and comes back whenever it is sent away. */
async function startScribe({ scene, line, receipts }: WitnessOptions) {
  let last: string | undefined;
  let connection: StreamConnection | undefined;
  const firstLive = Promise.withResolvers<void>();

  const take = (event: StreamEvent): void => {
    if (event.kind === "hello" && event.resumed !== (last !== undefined)) {
      scene.fault(`the first witness, since=${last}, was told ${JSON.stringify(event)}`);
      receipts.forgive();
    }
    if (event.kind === "message") line.add(event.cursor, event.text);
    else line.nameEnd(event.cursor);
    last = event.cursor;
    if (event.kind === "live") firstLive.resolve();
  };
  const run = async (): Promise<void> => {
    while (!scene.over.aborted) {
      connection = overWebSocket({ url: scene.url, since: last, take });
      await connection.ended.catch((error) => scene.fault(`the first witness: ${error.message}`));
      if (!scene.over.aborted) scene.count("times the first witness had to come back");
      await pause(scene, RETURN_MS);
    }
  };
  const ended = run();
  await firstLive.promise;
  return { ended, drop: () => connection?.drop() };
}

/** A witness that stays: whenever it is sent away it comes back to where it was. */
async function stay(options: WitnessOptions, watched: Set<Watched>, kind: "sse" | "raw"): Promise<void> {
  const { scene } = options;
  const cursor: { last: string | undefined } = { last: undefined };
  while (!scene.over.aborted) {
    const since = cursor.last;
    await connectOnce(options, watched, {
      name: `the ${kind} witness`,
      kind,
      filter: undefined,
      since,
      cursor,
    });
    if (!scene.over.aborted) scene.count(`times the ${kind} witness had to come back`);
    await pause(scene, RETURN_MS);
  }
}

/** One that comes and goes: mostly back to where it was, sometimes anew, from the earliest, or with a cursor of nobody's. */
async function roam(options: WitnessOptions, watched: Set<Watched>, n: number): Promise<void> {
  const { scene } = options;
  const { random } = scene;
  const kind = n % 2 === 0 ? "stream" : "sse";
  // A third of them get everything, the others some types, a few of these the large ones as well.
  const some = TYPES.filter(() => random.below(2) === 0);
  const filter = n % 3 === 0 ? undefined : [...new Set([...some, n % 7 === 0 ? BULK : "DOC_UPDATE"])];
  const cursor: { last: string | undefined } = { last: undefined };
  while (!scene.over.aborted) {
    const choice = random.below(20);
    const since =
      choice === 0 ? undefined : choice === 1 ? "earliest" : choice === 2 ? UNKNOWN_CURSOR : cursor.last;
    const name = `${kind} client ${n} (${filter ?? "everything"}; since=${since})`;
    const stayMs = about(random, ROAMER_STAY_MS);
    await connectOnce(options, watched, { name, kind, filter, since, cursor, stayMs });
    // Some stay away so long that what they missed is gone.
    await pause(scene, random.below(30) === 0 ? LONG_ABSENCE_MS : about(random, RETURN_MS));
  }
}

interface Visit {
  readonly name: string;
  readonly kind: "stream" | "sse" | "raw";
  readonly filter: readonly string[] | undefined;
  readonly since: string | undefined;
  /** Where the last cursor seen is left. */
  readonly cursor: { last: string | undefined };
  /** As long as it lasts, without. */
  readonly stayMs?: number;
}

async function connectOnce(options: WitnessOptions, watched: Set<Watched>, visit: Visit): Promise<void> {
  const { scene, line, kept, isRestarted } = options;
  const { name, kind, filter, since, cursor, stayMs } = visit;
  const stretch = createStretch({ line, filter, since, kept, isRestarted });
  const one: Watched = {
    name,
    stretch,
    stays: stayMs === undefined,
    isOver: false,
    waitingSinceMs: undefined,
  };
  watched.add(one);
  const types = filter?.join(",");
  const take = (event: StreamEvent): void => {
    if (event.kind === "hello") scene.count(event.resumed ? "resumed" : `not resumed: ${event.reason}`);
    stretch.take(event);
    cursor.last = event.cursor;
  };
  const { url } = scene;
  const connection =
    kind === "raw"
      ? overRaw({ url, types, take: stretch.takeRaw })
      : (kind === "sse" ? overSse : overWebSocket)({ url, since, types, take });
  const leave = (): void => connection.drop();
  scene.over.addEventListener("abort", leave);
  const timer = stayMs === undefined ? undefined : setTimeout(leave, stayMs);
  await connection.ended.catch((error) => scene.fault(`${name}: ${error.message}`));
  clearTimeout(timer);
  scene.over.removeEventListener("abort", leave);
  one.isOver = true;
}

/** Compares now and then, and once more at the end, and finds those who hear nothing any more. */
async function checkAll(options: WitnessOptions, watched: Set<Watched>): Promise<void> {
  const { scene, line, receipts } = options;
  /** How long the line was, newest last. */
  const lengths: { readonly atMs: number; readonly length: number }[] = [];
  while (!scene.over.aborted) {
    await pause(scene, CHECK_INTERVAL_MS);
    const nowMs = performance.now();
    lengths.push({ atMs: nowMs, length: line.length() });
    while ((lengths[1]?.atMs ?? nowMs) < nowMs - SEEN_LIMIT_MS) lengths.shift();
    const oldest = lengths[0];
    const due = oldest !== undefined && nowMs - oldest.atMs >= SEEN_LIMIT_MS ? oldest.length : 0;
    receipts.check();
    for (const one of watched) if (isDone(scene, one, nowMs, due)) watched.delete(one);
  }
  receipts.check();
}

/** @param due where everybody must be who has been there for long */
function isDone(scene: Scene, one: Watched, nowMs: number, due: number): boolean {
  const { name, stretch } = one;
  try {
    stretch.check();
  } catch (error) {
    scene.fault(`${name} ${(error as Error).message}`);
    return true;
  }
  const waiting = stretch.waiting();
  if (waiting === undefined) one.waitingSinceMs = undefined;
  else one.waitingSinceMs ??= nowMs;
  const position = stretch.position();
  if (one.waitingSinceMs !== undefined && nowMs - one.waitingSinceMs > SEEN_LIMIT_MS) {
    scene.fault(`${name} was sent ${waiting} behind position ${position}, which the first witness never saw`);
    return true;
  }
  if (one.stays && !one.isOver && position !== undefined && position < due) {
    scene.fault(`${name} stands at position ${position} and hears nothing more`);
    return true;
  }
  return one.isOver && waiting === undefined;
}
