import type { Config } from "../config/schema.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { WORKER_STATUS } from "../protocol/message.ts";
import { statusMessage, type WorkerStatus } from "../protocol/status.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import {
  type Backplane,
  type BackplaneEvents,
  type Entry,
  type Figures,
  KEY_MISMATCH,
  type KeyRecord,
  SILENT,
  SUPERSEDED,
} from "./backplane.ts";
import { createHistory } from "./history.ts";
import { createIntake } from "./intake.ts";
import type { Ledger, Outcome, Unit } from "./ledger.ts";
import { createQueue } from "./queue.ts";
import { createRegistry } from "./registry.ts";

/** How often a status is tried again while the history cannot be written. */
const ANNOUNCE_RETRY_MS = 1_000;

export interface LocalOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "published" | "publishSeconds" | "commands">;
}

/**
 * The backplane of a single hub. Everything happens in the step in which it is asked for.
 * @throws {JournalError} when HISTORY_FILE cannot be used; its message is for people
 */
export function createLocalBackplane({ config, runtime, log, metrics }: LocalOptions): Backplane & Figures {
  const history = createHistory(config, runtime);
  let events: BackplaneEvents = SILENT;
  let unsaidStatus: string | undefined;
  let cancelRetry: Cancel | undefined;

  const ledger: Ledger = {
    append(units, done) {
      // What comes under a key of its own comes alone: conflation, which gathers units, has looked before.
      const [only] = units;
      const own = only?.isOwned === true ? only.keys.at(-1) : undefined;
      const earlier = own === undefined ? undefined : history.findKey(own.key);
      if (earlier !== undefined && units.length === 1) {
        done([earlier.digest === own?.digest ? { ok: true, answer: earlier.answer } : KEY_MISMATCH]);
        return;
      }
      const messages = units.length === 1 ? (only as Unit).messages : units.flatMap((unit) => unit.messages);
      const appended = history.append(
        messages,
        units.some(hasKeys) ? (entries) => recordsOf(units, entries) : noRecords,
      );
      if (appended.ok) events.entries(appended.entries);
      done(appended.ok ? outcomesOf(units, appended.entries) : units.map(() => appended));
    },
    findKey: history.findKey,
  };
  const intake = createIntake({
    config,
    ledger,
    runtime,
    log,
    metrics,
    receivers: (type) => events.receivers(type),
  });

  const announce = (status: WorkerStatus): void => {
    log.info?.("STATUS", "websocket_endpoint", `Worker ${status.status}`, { metadata: status.metadata });
    events.status(status);
    unsaidStatus = statusMessage(status);
    // What is known of a key is known at once here, so this does not wait.
    intake.flush(say);
  };
  /** While the history cannot be written the newest status waits until it can. */
  const say = (): void => {
    cancelRetry?.();
    cancelRetry = undefined;
    if (unsaidStatus === undefined) return;
    const appended = history.append([{ text: unsaidStatus, type: WORKER_STATUS }], () => []);
    if (appended.ok) {
      unsaidStatus = undefined;
      metrics.published.add("hub");
      events.entries(appended.entries);
    } else {
      cancelRetry = runtime.after(ANNOUNCE_RETRY_MS, say);
    }
  };

  const registry = createRegistry({
    config,
    runtime,
    announce,
    replaced(token) {
      queue.gone(token);
      events.superseded(token, "replaced");
    },
  });
  const queue = createQueue({
    config,
    history,
    runtime,
    isOnline: () => registry.status().status === "online",
    deliver: (token, deliveries) => events.commands(token, deliveries),
    metrics,
  });

  return {
    start(started) {
      events = started;
    },
    head: history.head,
    cursorAt: history.cursorAt,
    locate: history.locate,
    read: history.read,
    append(publish) {
      if (publish.worker !== undefined && !registry.has(publish.worker)) publish.done?.(SUPERSEDED);
      else intake.append(publish);
    },
    barrier: (done) => done(),
    status: registry.status,
    register(worker) {
      registry.register(worker);
      events.registered(worker.token, registry.status());
    },
    describe: registry.describe,
    leave(token) {
      registry.leave(token);
      queue.gone(token);
    },
    worker() {
      const worker = registry.newest();
      return {
        status: registry.status(),
        worker: worker && { ...worker, lastSeenAtMs: worker.lastSeenAtMs() },
        queued: queue.waiting(),
      };
    },
    ready: queue.ready,
    canTake: queue.canTake,
    sendCommand: (command) => command.done(queue.send(command)),
    command: queue.find,
    acknowledge(ids, worker) {
      if (worker === undefined || registry.has(worker)) queue.acknowledge(ids);
    },
    flush: intake.stop,
    farewell() {
      registry.stop();
      queue.stop();
      intake.stop();
      cancelRetry?.();
    },
    close() {
      history.close();
      return Promise.resolve();
    },
    fill: history.fill,
    waiting: queue.waiting,
    conflated: intake.conflated,
    checks() {
      const trouble = history.trouble();
      return { history: trouble === undefined ? { ok: true } : { ok: false, detail: trouble } };
    },
  };
}

function hasKeys({ keys }: Unit): boolean {
  return keys.length > 0;
}

function noRecords(): KeyRecord[] {
  return [];
}

function recordsOf(units: readonly Unit[], entries: readonly Entry[]): KeyRecord[] {
  const records: KeyRecord[] = [];
  let first = 0;
  for (const { keys, messages } of units) {
    for (const { key, digest, at, receivers } of keys) {
      const ids = at.map((place) => entries[first + place]?.cursor);
      const answer = JSON.stringify({ ok: true, ids, receivers });
      records.push({ key, digest, answer, atMs: entries[first]?.atMs ?? 0 });
    }
    first += messages.length;
  }
  return records;
}

function outcomesOf(units: readonly Unit[], entries: readonly Entry[]): Outcome[] {
  if (units.length === 1) return [{ ok: true, cursors: entries.map(({ cursor }) => cursor) }];
  let first = 0;
  return units.map(({ messages }) => {
    const cursors = entries.slice(first, first + messages.length).map(({ cursor }) => cursor);
    first += messages.length;
    return { ok: true, cursors };
  });
}
