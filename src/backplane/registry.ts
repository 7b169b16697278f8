import type { Config } from "../config/schema.ts";
import { NO_METADATA, OFFLINE, type WorkerStatus } from "../protocol/status.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import type { NewWorker } from "./backplane.ts";

/** Who works at the moment, and what everybody is told of it (PROTOCOL.md, section 1), for a single hub. */
export interface Registry {
  status(): WorkerStatus;
  has(token: string): boolean;
  newest(): NewWorker | undefined;
  /** Takes a worker in. Under WORKER_POLICY=replace the one before it is out from this moment on. */
  register(worker: NewWorker): void;
  /** The worker names itself. `metadata` is the text of a JSON object. */
  describe(token: string, metadata: string): void;
  /** The worker's connection has ended. Harmless when it is no longer registered. */
  leave(token: string): void;
  /** Nobody is told any more of a worker that goes. Until it does, it is registered. */
  stop(): void;
}

export interface RegistryOptions {
  readonly config: Pick<Config, "WORKER_POLICY" | "WORKER_OFFLINE_GRACE_MS">;
  readonly runtime: Runtime;
  /** Called with every new status, once for each change. */
  readonly announce: (status: WorkerStatus) => void;
  /** Called for a worker that has just been replaced, before its successor is announced. */
  readonly replaced: (token: string) => void;
}

export function createRegistry({ config, runtime, announce, replaced }: RegistryOptions): Registry {
  /** Oldest first. A Map keeps that order, and replacing a value keeps its place. */
  const workers = new Map<string, { readonly worker: NewWorker; metadata: string }>();
  let status: WorkerStatus = OFFLINE;
  let cancelGrace: Cancel | undefined;
  let isStopped = false;

  const change = (next: WorkerStatus): void => {
    status = next;
    announce(next);
  };
  const newest = () => [...workers.values()].at(-1);

  return {
    status: () => status,
    has: (token) => workers.has(token),
    newest: () => newest()?.worker,
    register(worker) {
      cancelGrace?.();
      const old = config.WORKER_POLICY === "replace" ? [...workers.keys()] : [];
      // Out of the registry first: closing them calls `leave` at once, and that must find nobody to announce.
      for (const token of old) workers.delete(token);
      workers.set(worker.token, { worker, metadata: NO_METADATA });
      for (const token of old) replaced(token);
      change({ status: "online", metadata: NO_METADATA });
    },
    describe(token, metadata) {
      const described = workers.get(token);
      if (described === undefined) return;
      described.metadata = metadata;
      change({ status: "online", metadata: newest()?.metadata ?? metadata });
    },
    leave(token) {
      const wasNewest = newest()?.worker.token === token;
      if (!workers.delete(token) || isStopped) return;
      const successor = newest();
      if (successor !== undefined) {
        if (wasNewest) change({ status: "online", metadata: successor.metadata });
        return;
      }
      if (config.WORKER_OFFLINE_GRACE_MS === 0) change(OFFLINE);
      else cancelGrace = runtime.after(config.WORKER_OFFLINE_GRACE_MS, () => change(OFFLINE));
    },
    stop() {
      cancelGrace?.();
      isStopped = true;
    },
  };
}
