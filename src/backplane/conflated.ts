import type { Config } from "../config/schema.ts";
import type { Source } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import {
  KEY_MISMATCH,
  type Key,
  type KeyRecord,
  type NewMessage,
  type Publish,
  type Published,
  type Receipt,
  type Receivers,
  type Refused,
} from "./backplane.ts";
import { createConflator } from "./conflate.ts";
import type { Ledger, NewKey, Outcome, Unit } from "./ledger.ts";
import { type CountReceivers, cursorOf, larger, newKey, receiversOf, resultOf } from "./receipts.ts";

/** Publishes that pass conflation (PROTOCOL.md, section 5): receipts for what is held back, superseded or repeated. */
export interface Conflated {
  append(publish: Publish): void;
  /** Publishes what conflation holds back, behind whatever waits for news of its key; then runs `then`. */
  flush(then: () => void): void;
  stop(): void;
  superseded(): number;
}

/** With more bytes than this held back by conflation, all of it is published. */
const HELD_LIMIT_BYTES = 1_048_576;
/** So many publishes wait for what is known of a key elsewhere; the rest are refused. */
const WAITING_LIMIT = 10_000;

/** What one publish waits for. */
interface Pending {
  readonly publish: Publish;
  readonly ids: string[];
  missing: number;
  receivers: Receivers;
  isOver: boolean;
}

/** A message under conflation. */
interface Item {
  readonly message: NewMessage;
  readonly source: Source;
  readonly worker: string | undefined;
  /** Who waits for this message, and as the how-manieth of its batch. The last is who sent it. */
  waiters: { readonly pending: Pending; readonly index: number }[];
}

/** Writes units, each with its source, and gives what became of them. */
export type Write = (
  units: readonly Unit[],
  sources: readonly Source[],
  settle: (outcomes: readonly Outcome[]) => void,
) => void;

export interface ConflatedOptions {
  readonly config: Pick<Config, "CONFLATE">;
  readonly ledger: Pick<Ledger, "findKey">;
  readonly runtime: Runtime;
  readonly receivers: CountReceivers;
  readonly write: Write;
}

export function createConflated({ config, ledger, runtime, receivers, write }: ConflatedOptions): Conflated {
  /** Keyed publishes that conflation holds back: a repeat waits for the first. */
  const inFlight = new Map<
    string,
    { readonly digest: string; readonly repeats: ((result: Published) => void)[] }
  >();
  /** Set while a keyed batch is put together, which must become one unit. */
  let collected: Item[] | undefined;
  /** Publishes that wait until it is known whether their key, or that of one before them, has been used. */
  const waiting: {
    readonly run: (known: KeyRecord | undefined) => void;
    known?: KeyRecord | undefined;
    isKnown: boolean;
  }[] = [];

  const conflator = createConflator<Item>({
    rules: config.CONFLATE,
    runtime,
    heldLimitBytes: HELD_LIMIT_BYTES,
    sizeOf: (item) => Buffer.byteLength(item.message.text),
    publish: (items) => (collected === undefined ? commit(items) : void collected.push(...items)),
    // The long list is kept and the short one added, or a burst under one key would cost its square.
    supersede(older, newer) {
      older.waiters.push(...newer.waiters);
      newer.waiters = older.waiters;
    },
  });

  const commit = (items: readonly Item[]): void => {
    const units = items.map(unitOf);
    write(
      units,
      items.map(({ source }) => source),
      (outcomes) => {
        for (const [at, item] of items.entries()) settleItem(item, outcomes[at] as Outcome);
      },
    );
  };

  const unitOf = ({ message, worker, waiters }: Item): Unit => {
    const reached = receivers(message.type);
    const keys: NewKey[] = [];
    for (const { pending } of waiters) {
      const { key } = pending.publish;
      pending.receivers = larger(pending.receivers, reached);
      if (key !== undefined) keys.push(newKey(key, [0], pending.receivers));
    }
    return {
      messages: [message],
      keys,
      isOwned: waiters.at(-1)?.pending.publish.key !== undefined,
      worker,
    };
  };

  const settleItem = ({ waiters }: Item, outcome: Outcome): void => {
    const cursor = outcome.ok ? cursorOf(outcome) : undefined;
    waiters.forEach(({ pending, index }, at) => {
      if (cursor !== undefined) {
        pending.ids[index] = cursor;
        pending.missing -= 1;
        if (pending.missing === 0)
          finish(pending, { ok: true, ids: pending.ids, receivers: pending.receivers });
      } else if (!outcome.ok) {
        const isOwn = at === waiters.length - 1;
        finish(pending, isOwn || outcome.code !== "key_mismatch" ? outcome : SUPERSEDED_BY_REFUSED);
      }
    });
  };

  const finish = (pending: Pending, result: Published): void => {
    if (pending.isOver) return;
    pending.isOver = true;
    const { key, done } = pending.publish;
    const flight = key === undefined ? undefined : inFlight.get(key.key);
    if (key !== undefined) inFlight.delete(key.key);
    done?.(result);
    for (const repeat of flight?.repeats ?? []) repeat(result);
  };

  const conflate = (publish: Publish): void => {
    const { messages, source, worker, key } = publish;
    if (key !== undefined) inFlight.set(key.key, { digest: key.digest, repeats: [] });
    const none = { websocket: 0, sse: 0 };
    const pending: Pending = { publish, ids: [], missing: messages.length, receivers: none, isOver: false };
    const offers = messages.map((message, index) => ({
      type: message.type,
      key: message.conflationKey,
      item: { message, source, worker, waiters: [{ pending, index }] },
    }));
    if (key === undefined || messages.length === 1) conflator.offer(offers);
    else keyedBatch(pending, key, offers);
  };

  /**
   * A batch and its key are one unit, or a crash between would make a resend repeat half of it. So what conflation would
   * hold back of it goes out at its end, and what was held back before it goes first.
   */
  const keyedBatch = (pending: Pending, key: Key, offers: Parameters<typeof conflator.offer>[0]): void => {
    conflator.flush();
    const items: Item[] = [];
    collected = items;
    conflator.offer(offers);
    conflator.flush();
    collected = undefined;
    const messages = items.map(({ message }) => message);
    const at: number[] = [];
    items.forEach(({ waiters }, place) => {
      for (const { index } of waiters) at[index] = place;
    });
    const reached = receiversOf(messages, receivers);
    const { source, worker } = pending.publish;
    const unit = { messages, keys: [newKey(key, at, reached)], isOwned: true, worker };
    write([unit], [source], ([outcome]) => {
      const result = resultOf(outcome as Outcome, reached);
      const isNew = result.ok && "cursors" in (outcome as Outcome);
      finish(pending, isNew ? { ...result, ids: at.map((place) => result.ids[place] as string) } : result);
    });
  };

  /** Only conflation has to know of a repeat before the ledger says so: it would supersede something newer. */
  const enter = (publish: Publish, known: KeyRecord | undefined): void => {
    const { key } = publish;
    const flight = key === undefined ? undefined : inFlight.get(key.key);
    if (flight !== undefined) {
      if (flight.digest === key?.digest) flight.repeats.push((result) => publish.done?.(result));
      else publish.done?.(KEY_MISMATCH);
    } else if (known === undefined) {
      conflate(publish);
    } else {
      publish.done?.(known.digest === key?.digest ? (JSON.parse(known.answer) as Receipt) : KEY_MISMATCH);
    }
  };

  const letIn = (): void => {
    while (waiting[0]?.isKnown) {
      const next = waiting.shift();
      next?.run(next.known);
    }
  };

  const lookUp = (publish: Publish): void => {
    const found = publish.key === undefined ? undefined : ledger.findKey(publish.key.key);
    if (waiting.length === 0 && !(found instanceof Promise)) {
      enter(publish, found);
      return;
    }
    if (waiting.length >= WAITING_LIMIT) {
      publish.done?.({
        ok: false,
        code: "busy",
        detail: `${WAITING_LIMIT} publishes wait for their turn already`,
      });
      return;
    }
    const place: (typeof waiting)[number] = { run: (known) => enter(publish, known), isKnown: false };
    waiting.push(place);
    void Promise.resolve(found)
      .then((known) => {
        place.known = known;
      })
      .catch((error: Error) => {
        waiting.splice(waiting.indexOf(place), 1);
        publish.done?.({ ok: false, code: "backplane", detail: error.message });
      })
      .finally(() => {
        place.isKnown = true;
        letIn();
      });
  };

  return {
    append: lookUp,
    flush(then) {
      const run = (): void => {
        conflator.flush();
        then();
      };
      if (waiting.length === 0) run();
      else waiting.push({ run, isKnown: true });
    },
    stop: conflator.stop,
    superseded: () => conflator.stats().superseded,
  };
}

/** For whoever waits for a message that another publish, which was refused, has superseded. */
const SUPERSEDED_BY_REFUSED: Refused = {
  ok: false,
  code: "busy",
  detail: "conflated into a message that was refused: publish it again",
};
