import type { Backplane } from "../backplane/backplane.ts";
import { CLOSE } from "../protocol/close.ts";
import type { WorkerStatus } from "../protocol/status.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import { retire, type Socket } from "./connection.ts";

/** The workers that are connected to this hub. Who of them is registered, and the status, is the backplane's to say. */
export interface Workers {
  status(): WorkerStatus;
  /** Calls `listener` after each change of the status, until the returned function is called. */
  watch(listener: () => void): Cancel;
  /** To be called when the status has changed. */
  changed(): void;
  /** A worker has connected. */
  join(socket: Socket): void;
  /** Its socket has ended, or is about to be. */
  leave(socket: Socket): void;
  find(token: string): Socket | undefined;
  /** Reads nothing more from a worker for now, or goes on. */
  hold(token: string, isHeld: boolean): void;
  /** The backplane does not know it any more. */
  superseded(token: string, why: "replaced" | "lost"): void;
}

export function createWorkers(
  backplane: Pick<Backplane, "status" | "register" | "leave">,
  runtime: Runtime,
): Workers {
  const sockets = new Map<string, Socket>();
  const listeners = new Set<() => void>();

  return {
    status: backplane.status,
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    changed() {
      for (const listener of listeners) listener();
    },
    join(socket) {
      const { data } = socket;
      sockets.set(data.token, socket);
      backplane.register({
        token: data.token,
        connId: data.connId,
        connectedAtMs: data.connectedAtMs,
        lastSeenAtMs: () => runtime.nowMs() - Math.round(runtime.monotonicMs() - data.lastSeenMs),
      });
    },
    leave({ data }) {
      if (sockets.delete(data.token)) backplane.leave(data.token);
    },
    find: (token) => sockets.get(token),
    hold(token, isHeld) {
      const socket = sockets.get(token);
      if (socket === undefined || socket.data.retired) return;
      if (isHeld) socket.pause();
      else socket.resume();
      socket.data.isHeld = isHeld;
      // What it has sent meanwhile is read from now on: until then it must not be taken for mute.
      socket.data.lastSeenMs = runtime.monotonicMs();
    },
    superseded(token, why) {
      const socket = sockets.get(token);
      if (socket === undefined) return;
      sockets.delete(token);
      retire(socket, why === "replaced" ? CLOSE.replaced : CLOSE.leaseLost);
    },
  };
}
