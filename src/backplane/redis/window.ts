import { OFFLINE, type WorkerStatus } from "../../protocol/status.ts";
import type { Runtime } from "../../runtime.ts";
import type { Entry, Located, Page } from "../backplane.ts";
import { createEpochs, type Epoch, locateIn } from "../epochs.ts";
import { createRing } from "../ring.ts";
import type { Seen, Snapshot } from "./handshake.ts";
import type { RedisConfig } from "./settings.ts";

/** What this node holds of the stream: the newest messages, as far as its hub has been told of them. */
export interface Window {
  /** Begins at the snapshot, with the history that leads up to it, oldest first. */
  join(snapshot: Snapshot, history: readonly Entry[]): void;
  push(entry: Entry): void;
  expire(): void;
  /** Takes over the epochs. @returns whether what this node has seen leads on to them, with nothing of it lost */
  adopt(epochs: readonly Epoch[]): boolean;
  hasEpoch(id: string): boolean;
  seen(): Seen;
  firstOffset(): number;
  lastOffset(): number;
  cursorAt(offset: number): string;
  locate(since: string): Located;
  read(offset: number, upTo: number, limitMessages: number, limitBytes: number): Page;
  fill(): { readonly messages: number; readonly bytes: number };
  status(): WorkerStatus;
  setStatus(status: WorkerStatus): void;
  /** Notes how Redis' wall clock, which dates the messages, differs from this node's. */
  heardTime(redisMs: number): void;
}

type WindowConfig = Pick<RedisConfig, "HISTORY_MESSAGES" | "HISTORY_BYTES" | "HISTORY_TTL_MS">;

export function createWindow(config: WindowConfig, runtime: Runtime): Window {
  const limits = {
    messages: config.HISTORY_MESSAGES,
    bytes: config.HISTORY_BYTES,
    ageMs: config.HISTORY_TTL_MS,
  };
  let known: readonly Epoch[] = [];
  let epochs = createEpochs([{ id: "", firstOffset: 1 }]);
  let ring = createRing(limits, 0);
  let status: WorkerStatus = OFFLINE;
  let aheadMs = 0;

  const present = (): Epoch | undefined => known.at(-1);
  const expire = (): void => ring.expire(runtime.nowMs() + aheadMs);
  const take = (next: readonly Epoch[]): void => {
    known = next;
    epochs = createEpochs(next);
  };

  return {
    join(snapshot, history) {
      take(snapshot.epochs);
      ring = createRing(limits, (history[0]?.offset ?? snapshot.seq + 1) - 1);
      for (const entry of history) ring.push(entry);
      aheadMs = snapshot.nowMs - runtime.nowMs();
      expire();
    },
    push: (entry) => ring.push(entry),
    expire,
    adopt(next) {
      const at = next.findIndex(({ id }) => id === present()?.id);
      if (at === -1) return false;
      if (next.slice(at + 1).some(({ firstOffset }) => firstOffset <= ring.lastOffset())) return false;
      if (at < next.length - 1) take(next);
      return true;
    },
    hasEpoch: (id) => present()?.id === id || known.some((epoch) => epoch.id === id),
    seen: () => ({ epoch: present()?.id ?? "", seq: ring.lastOffset() }),
    firstOffset: () => ring.firstOffset(),
    lastOffset: () => ring.lastOffset(),
    cursorAt: (offset) => epochs.cursorAt(offset),
    locate(since) {
      expire();
      return locateIn(ring, epochs, since);
    },
    read: (offset, upTo, limitMessages, limitBytes) => ring.read(offset, upTo, limitMessages, limitBytes),
    fill: () => ring.fill(),
    status: () => status,
    setStatus(next) {
      status = next;
    },
    heardTime(redisMs) {
      aheadMs = redisMs - runtime.nowMs();
    },
  };
}
