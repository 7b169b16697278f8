import { WORKER_STATUS } from "../../protocol/message.ts";
import { OFFLINE, type WorkerStatus } from "../../protocol/status.ts";
import type { BackplaneEvents } from "../backplane.ts";
import { type RawEntry, readEntry, type StoredEntry, statusOf } from "./entries.ts";
import type { Handshake, Snapshot } from "./handshake.ts";
import type { Send } from "./link.ts";
import type { RedisMetrics } from "./metrics.ts";
import type { KeyNames } from "./scripts.ts";
import type { RedisConfig } from "./settings.ts";
import type { Window } from "./window.ts";

/** Follows the stream, and tells the hub of everything in it in order: without a gap, or with a reset. */
export interface Tail {
  /** Takes the history in before the hub is told of anything. */
  join(send: Send, snapshot: Snapshot): Promise<void>;
  /** Follows until the connection ends. Rejects with why it has. */
  follow(send: Send, snapshot: Snapshot): Promise<void>;
  /** Something suggests that Redis has lost something: asks at the next step. */
  doubt(): void;
  /** The stream goes at least so far. */
  heard(epoch: string, seq: number): void;
  stop(): void;
}

export interface TailOptions {
  readonly config: RedisConfig;
  readonly keys: KeyNames;
  readonly window: Window;
  readonly handshake: Handshake;
  readonly metrics: RedisMetrics;
  readonly events: () => Pick<BackplaneEvents, "entries" | "reset" | "status">;
  /** A worker's registration has come by. */
  readonly registered: (token: string, offset: number) => void;
  /** The hub has been told of more. */
  readonly moved: () => void;
  /** There may be commands to take. */
  readonly signalled: () => void;
}

/** How long Redis holds a question for what is new. A doubt waits no longer than that. */
const BLOCK_MS = 1_000;
/** What one answer should hold, by the size of the messages before; and how many messages it may hold. */
const PAGE_BYTES = 4_194_304;
const PAGE_LEAST = 16;
const PAGE_MOST = 1_000;

export function createTail(options: TailOptions): Tail {
  const { config, keys, window, handshake, metrics, events } = options;
  let signalId = "0-0";
  let isDoubtful = false;
  let isStopped = false;
  let page = PAGE_LEAST;
  let expected = 0;

  const sizePage = (entries: readonly StoredEntry[]): void => {
    const bytes = entries.reduce((sum, { byteCount }) => sum + byteCount, 0);
    const fitting = Math.floor(PAGE_BYTES / Math.max(1, bytes / entries.length));
    // It grows slowly, so that a few small messages do not let the next answer be a thousand large ones.
    page = Math.max(PAGE_LEAST, Math.min(PAGE_MOST, page * 2, fitting));
  };

  /** The newest messages up to the snapshot that the limits allow, oldest first. */
  const load = async (send: Send, snapshot: Snapshot): Promise<StoredEntry[]> => {
    const found: StoredEntry[] = [];
    const least = snapshot.epochs[0]?.firstOffset ?? 1;
    let next = snapshot.seq;
    let bytes = 0;
    while (next >= least) {
      const count = Math.min(page, config.HISTORY_MESSAGES - found.length);
      const raw = (await send("XREVRANGE", [
        ...[keys.messages, `${next}-0`, "-", "COUNT", String(count)],
      ])) as readonly RawEntry[];
      const entries = raw.map(readEntry);
      if (entries.length > 0) sizePage(entries);
      for (const entry of entries) {
        bytes += entry.byteCount;
        const isOver =
          entry.offset !== next || next < least || (bytes > config.HISTORY_BYTES && found.length > 0);
        if (isOver) return found.reverse();
        found.push(entry);
        next -= 1;
      }
      if (entries.length < count || found.length >= config.HISTORY_MESSAGES) break;
    }
    return found.reverse();
  };

  const join = async (send: Send, snapshot: Snapshot): Promise<void> => {
    const history = await load(send, snapshot);
    window.join(snapshot, history);
    window.setStatus(statusIn(snapshot));
    signalId = snapshot.signalId;
    expected = snapshot.seq;
    isDoubtful = false;
  };

  /** What comes does not continue what this node has: its hub begins anew at the head. */
  const rejoin = async (send: Send, reason: "behind" | "lost", snapshot?: Snapshot): Promise<void> => {
    const before = window.status();
    await join(send, snapshot ?? (await handshake(send)));
    metrics.resets.add(reason);
    events().reset(reason === "behind" ? "this node had fallen behind" : "Redis has lost messages");
    const after = window.status();
    if (after.status !== before.status || after.metadata !== before.metadata) events().status(after);
    options.moved();
  };

  const check = async (send: Send): Promise<boolean> => {
    const snapshot = await handshake(send);
    isDoubtful = false;
    if (window.adopt(snapshot.epochs)) {
      expected = Math.max(window.lastOffset(), snapshot.seq);
      return true;
    }
    await rejoin(send, "lost", snapshot);
    return false;
  };

  const deliver = (entries: readonly StoredEntry[]): void => {
    if (entries.length === 0) return;
    for (const entry of entries) window.push(entry);
    events().entries(entries);
    options.moved();
  };

  /** The status is told immediately before the entries that begin with it. */
  const deliverAll = (entries: readonly StoredEntry[]): void => {
    let from = 0;
    entries.forEach((entry, at) => {
      if (entry.type !== WORKER_STATUS) return;
      deliver(entries.slice(from, at));
      from = at;
      const status = statusOf(entry.text);
      window.setStatus(status);
      events().status(status);
      if (entry.token !== undefined) options.registered(entry.token, entry.offset);
    });
    deliver(entries.slice(from));
  };

  const take = async (send: Send, entries: readonly StoredEntry[]): Promise<void> => {
    sizePage(entries);
    let last = window.lastOffset();
    let from = 0;
    for (const [at, entry] of entries.entries()) {
      if (entry.offset !== last + 1) {
        deliverAll(entries.slice(from, at));
        await rejoin(send, "behind");
        return;
      }
      if (!window.hasEpoch(entry.epoch)) {
        deliverAll(entries.slice(from, at));
        from = at;
        if (!(await check(send)) || isStopped) return;
      }
      last = entry.offset;
    }
    deliverAll(entries.slice(from));
  };

  const step = async (send: Send): Promise<void> => {
    if (isDoubtful) await check(send);
    const before = expected;
    const reply = (await send(
      "XREAD",
      [
        ...["BLOCK", String(BLOCK_MS), "COUNT", String(page), "STREAMS", keys.messages, keys.signals],
        ...[`${window.lastOffset()}-0`, signalId],
      ],
      BLOCK_MS,
    )) as Readonly<Record<string, readonly RawEntry[]>> | null;
    if (isStopped) return;
    const raw = reply?.[keys.messages];
    const signals = reply?.[keys.signals];
    if (raw !== undefined) await take(send, raw.map(readEntry));
    // What had been promised before the question would be in its answer if it were there.
    else if (before > window.lastOffset()) await rejoin(send, "behind");
    if (signals !== undefined) {
      signalId = signals.at(-1)?.[0] ?? signalId;
      options.signalled();
    }
  };

  return {
    join,
    async follow(send, snapshot) {
      if (!window.adopt(snapshot.epochs)) await rejoin(send, "lost", snapshot);
      expected = Math.max(window.lastOffset(), snapshot.seq);
      while (!isStopped) await step(send);
    },
    doubt() {
      isDoubtful = true;
    },
    heard(epoch, seq) {
      if (epoch !== window.seen().epoch) isDoubtful = true;
      else expected = Math.max(expected, seq);
    },
    stop() {
      isStopped = true;
    },
  };
}

function statusIn({ status, metadata }: Snapshot): WorkerStatus {
  return status === "online" ? { status, metadata } : OFFLINE;
}
