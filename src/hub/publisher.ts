import { createHash } from "node:crypto";
import type { Appended, Backplane, Entry, KeyRecord, Refused } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics, Source } from "../observe/metrics.ts";
import { WORKER_STATUS } from "../protocol/message.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import { createConflator } from "./conflate.ts";
import type { Fanout, Receivers } from "./fanout.ts";

/** A message that has been read: what it is, and its text. */
export interface Message {
  readonly text: string;
  readonly type: string | undefined;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Receipt {
  readonly ok: true;
  /** One cursor for each message, in order; a superseded message has that of the one that superseded it. */
  readonly ids: readonly string[];
  /** Of this node, at the time of the publish; of a batch, those of the message that reaches most. */
  readonly receivers: Receivers;
}

export type Published =
  | Receipt
  | Refused
  | { readonly ok: false; readonly code: "key_mismatch"; readonly detail: string };

/** The one way into the stream: conflation, history, then everybody who is live, in one synchronous step. */
export interface Publisher {
  /** Publishes without a receipt, as raw-framed workers do. A refusal is logged. */
  forward(message: Message, source: Source): void;
  /**
   * Publishes all or none and resolves once all are in the history. A repeat under the same key gets the first answer.
   * @param key an idempotency key (PROTOCOL.md, section 4)
   */
  publish(messages: readonly Message[], source: Source, key?: string): Promise<Published>;
  /** Resolves when the batch that is being sent has been sent, so that the next does not pile up on it. */
  turn(): Promise<void> | undefined;
  /** Publishes the hub's own status message. While the history cannot be written the newest one waits until it can. */
  announce(statusText: string): void;
  /** Publishes what conflation holds back, for good. */
  stop(): void;
  /** How many messages conflation has superseded. */
  conflated(): number;
}

/** What a digest is kept of, so that another request under the same key is noticed. */
export function digestOf(kind: "publish" | "command", texts: readonly string[]): string {
  const hash = createHash("sha256").update(kind);
  for (const text of texts) hash.update("\n").update(text);
  return hash.digest("base64url");
}

export const KEY_MISMATCH = {
  ok: false,
  code: "key_mismatch",
  detail: "this idempotency key was used for another body within the last 10 minutes",
} as const;

/** With more bytes than this held back by conflation, all of it is published. */
const HELD_LIMIT_BYTES = 1_048_576;
/** How often a status is tried again while the history cannot be written. */
const ANNOUNCE_RETRY_MS = 1_000;

/** What one call of `publish` waits for. */
interface Pending {
  readonly ids: string[];
  missing: number;
  receivers: Receivers;
  readonly key: string | undefined;
  readonly digest: string;
  readonly settle: (result: Published) => void;
}

interface Item {
  readonly text: string;
  readonly type: string | undefined;
  readonly source: Source;
  /** Who waits for this message, and as the how-manieth of its batch. */
  waiters: { readonly pending: Pending; readonly index: number }[];
}

export interface PublisherOptions {
  readonly config: Pick<Config, "CONFLATE">;
  readonly backplane: Backplane;
  readonly fanout: Fanout;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createPublisher({
  config,
  backplane,
  fanout,
  runtime,
  log,
  metrics,
}: PublisherOptions): Publisher {
  /** Keyed publishes that conflation holds back: a repeat waits for the first. */
  const inFlight = new Map<string, { readonly digest: string; readonly result: Promise<Published> }>();
  /** Set while a keyed batch is put together, which must become one transaction. */
  let collected: Item[] | undefined;
  let refusedMessages = 0;
  let unsaidStatus: string | undefined;
  let cancelRetry: Cancel | undefined;

  const commit = (items: readonly Item[]): void => {
    if (collected !== undefined) {
      collected.push(...items);
      return;
    }
    const startedMs = runtime.monotonicMs();
    const appended = backplane.append(items, (entries) => fillIn(items, entries));
    if (appended.ok) {
      fanout.deliver(appended.entries);
      metrics.publishSeconds.observe((runtime.monotonicMs() - startedMs) / 1000);
      for (const { source } of items) metrics.published.add(source);
    }
    noteOutcome(appended, items.length);
    for (const { waiters } of items) {
      for (const { pending } of waiters) {
        if (!appended.ok) pending.settle(appended);
        else if (pending.missing === 0) pending.settle(receiptOf(pending));
      }
    }
  };

  /** One line when the history begins to refuse and one when it has recovered, not one for each message. */
  const noteOutcome = (appended: Appended, count: number): void => {
    if (!appended.ok) {
      if (refusedMessages === 0) log.error?.("FAIL", "publish", "Messages refused", { why: appended.detail });
      refusedMessages += count;
    } else if (refusedMessages > 0) {
      log.warning?.("START", "publish", "Messages taken again", { refused: refusedMessages });
      refusedMessages = 0;
    }
  };

  /** Notes the cursors for those who wait, and gives the keys that are complete with these entries. */
  const fillIn = (items: readonly Item[], entries: readonly Entry[]): KeyRecord[] => {
    const records: KeyRecord[] = [];
    items.forEach(({ waiters }, at) => {
      const entry = entries[at] as Entry;
      for (const { pending, index } of waiters) {
        pending.ids[index] = entry.cursor;
        pending.missing -= 1;
        pending.receivers = larger(pending.receivers, fanout.receivers(entry.type));
        if (pending.missing > 0 || pending.key === undefined) continue;
        const answer = JSON.stringify(receiptOf(pending));
        records.push({ key: pending.key, digest: pending.digest, answer, atMs: entry.atMs });
      }
    });
    return records;
  };

  const conflator = createConflator<Item>({
    rules: config.CONFLATE,
    runtime,
    heldLimitBytes: HELD_LIMIT_BYTES,
    sizeOf: (item) => Buffer.byteLength(item.text),
    publish: commit,
    // The long list is kept and the short one added, or a burst under one key would cost its square.
    supersede(older, newer) {
      older.waiters.push(...newer.waiters);
      newer.waiters = older.waiters;
    },
  });
  const isConflating = config.CONFLATE.length > 0;

  const offer = (messages: readonly Message[], items: readonly Item[]): void => {
    if (!isConflating) commit(items);
    else conflator.offer(messages.map(({ type, value }, at) => ({ type, value, item: items[at] as Item })));
  };

  const offerKeyedBatch = (messages: readonly Message[], items: readonly Item[]): void => {
    // A batch and its key are one transaction, or a crash between would make a resend repeat half of it. So what
    // conflation would hold back of it goes out at its end.
    const batch: Item[] = [];
    collected = batch;
    offer(messages, items);
    conflator.flush();
    collected = undefined;
    commit(batch);
  };

  const announce = (statusText: string): void => {
    conflator.flush();
    cancelRetry?.();
    cancelRetry = undefined;
    unsaidStatus = statusText;
    const appended = backplane.append([{ text: statusText, type: WORKER_STATUS }], () => []);
    if (appended.ok) {
      unsaidStatus = undefined;
      metrics.published.add("hub");
      fanout.deliver(appended.entries);
    } else {
      cancelRetry = runtime.after(ANNOUNCE_RETRY_MS, () => {
        if (unsaidStatus !== undefined) announce(unsaidStatus);
      });
    }
  };

  return {
    forward: (message, source) =>
      offer([message], [{ text: message.text, type: message.type, source, waiters: [] }]),
    publish(messages, source, key) {
      const digest =
        key === undefined
          ? ""
          : digestOf(
              "publish",
              messages.map(({ text }) => text),
            );
      const earlier = key === undefined ? undefined : (backplane.findKey(key) ?? inFlight.get(key));
      if (earlier !== undefined) {
        if (earlier.digest !== digest) return Promise.resolve(KEY_MISMATCH);
        return "result" in earlier ? earlier.result : Promise.resolve(JSON.parse(earlier.answer) as Receipt);
      }
      const { promise, resolve } = Promise.withResolvers<Published>();
      const settle = (result: Published): void => {
        if (key !== undefined) inFlight.delete(key);
        resolve(result);
      };
      if (key !== undefined) inFlight.set(key, { digest, result: promise });
      const receivers = { websocket: 0, sse: 0 };
      const pending: Pending = { ids: [], missing: messages.length, receivers, key, digest, settle };
      const items = messages.map(({ text, type }, index) => ({
        text,
        type,
        source,
        waiters: [{ pending, index }],
      }));
      if (key !== undefined && messages.length > 1) offerKeyedBatch(messages, items);
      else offer(messages, items);
      return promise;
    },
    turn: fanout.idle,
    announce,
    stop() {
      cancelRetry?.();
      conflator.stop();
    },
    conflated: () => conflator.stats().superseded,
  };
}

function receiptOf({ ids, receivers }: Pending): Receipt {
  return { ok: true, ids, receivers };
}

function larger(a: Receivers, b: Receivers): Receivers {
  return a.websocket + a.sse >= b.websocket + b.sse ? a : b;
}
