import type { Config } from "../config/schema.ts";
import { CLOSE } from "../protocol/close.ts";
import { NO_METADATA, OFFLINE, type WorkerStatus } from "../protocol/status.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import { retire, type Socket } from "./connection.ts";

/** Who works at the moment, and what everybody is told of it (PROTOCOL.md, section 1). */
export interface Workers {
  status(): WorkerStatus;
  /** The newest worker's connection, while one is connected. */
  newest():
    | { readonly connId: string; readonly connectedAtMs: number; readonly lastSeenAtMs: number }
    | undefined;
  /** Takes a worker in. Under WORKER_POLICY=replace the one before it is closed with 4001. */
  register(socket: Socket): void;
  /** The worker names itself. `metadata` is the text of a JSON object. */
  describe(socket: Socket, metadata: string): void;
  /** The worker's socket has ended, or is about to be. Harmless when it is no longer registered. */
  leave(socket: Socket): void;
  /** Calls `listener` after each change of the status, until the returned function is called. */
  watch(listener: () => void): Cancel;
  /** Forgets everybody without a word. */
  stop(): void;
}

/**
 * @param announce called with every new status, once for each change; `registered` is the socket that brought it about
 */
export function createWorkers(
  config: Pick<Config, "WORKER_POLICY" | "WORKER_OFFLINE_GRACE_MS">,
  runtime: Runtime,
  announce: (status: WorkerStatus, registered?: Socket) => void,
): Workers {
  /** Oldest first. A Map keeps that order, and replacing a value keeps its place. */
  const metadataOf = new Map<Socket, string>();
  const listeners = new Set<() => void>();
  let status: WorkerStatus = OFFLINE;
  let cancelGrace: Cancel | undefined;

  const change = (next: WorkerStatus, registered?: Socket): void => {
    status = next;
    announce(next, registered);
    for (const listener of listeners) listener();
  };
  const newest = (): [Socket, string] | undefined => [...metadataOf].at(-1);

  return {
    status: () => status,
    newest() {
      const data = newest()?.[0].data;
      if (data === undefined) return undefined;
      const silentMs = Math.round(runtime.monotonicMs() - data.lastSeenMs);
      return {
        connId: data.connId,
        connectedAtMs: data.connectedAtMs,
        lastSeenAtMs: runtime.nowMs() - silentMs,
      };
    },
    register(socket) {
      cancelGrace?.();
      const replaced = config.WORKER_POLICY === "replace" ? [...metadataOf.keys()] : [];
      // Out of the registry first: closing calls `leave` at once, and that must find nobody to announce.
      for (const old of replaced) metadataOf.delete(old);
      metadataOf.set(socket, NO_METADATA);
      for (const old of replaced) retire(old, CLOSE.replaced);
      change({ status: "online", metadata: NO_METADATA }, socket);
    },
    describe(socket, metadata) {
      if (!metadataOf.has(socket)) return;
      metadataOf.set(socket, metadata);
      change({ status: "online", metadata: newest()?.[1] ?? metadata });
    },
    leave(socket) {
      const wasNewest = newest()?.[0] === socket;
      if (!metadataOf.delete(socket)) return;
      const successor = newest();
      if (successor !== undefined) {
        if (wasNewest) change({ status: "online", metadata: successor[1] });
        return;
      }
      if (config.WORKER_OFFLINE_GRACE_MS === 0) change(OFFLINE);
      else cancelGrace = runtime.after(config.WORKER_OFFLINE_GRACE_MS, () => change(OFFLINE));
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop() {
      cancelGrace?.();
      metadataOf.clear();
    },
  };
}
