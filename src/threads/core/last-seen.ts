import type { Backplane, WorkerState } from "../../backplane/backplane.ts";
import type { ToCore } from "../wire/to-core.ts";
import type { Seat } from "./seat.ts";

/** When something last came from a worker: known to its edge, which tells it now and then, and when it is asked. */
export interface LastSeen {
  take(seat: Seat, op: Extract<ToCore, { op: "seen" }>): void;
  /** The state of the worker, as of now: where an edge of this process has its socket, that is asked first. */
  worker(): Promise<WorkerState>;
}

/** An edge that does not answer within this is not waited for: what it has told last will do. */
const ANSWER_LIMIT_MS = 1_000;

export function createLastSeen(
  seats: ReadonlySet<Seat>,
  backplane: Pick<Backplane, "worker">,
  after: (delayMs: number, run: () => void) => () => void,
): LastSeen {
  const asked = new Map<number, () => void>();
  let lastId = 0;

  const ask = (seat: Seat, token: string): Promise<void> =>
    new Promise((resolve) => {
      const id = ++lastId;
      const settle = (): void => {
        asked.delete(id);
        cancel();
        resolve();
      };
      const cancel = after(ANSWER_LIMIT_MS, settle);
      asked.set(id, settle);
      seat.outbox.say({ op: "see", id, token });
    });
  const find = (connId: string): readonly [Seat, string] | undefined => {
    for (const seat of seats) {
      for (const [token, member] of seat.members) if (member.connId === connId) return [seat, token];
    }
    return undefined;
  };

  return {
    take({ members }, { token, atMs, id }) {
      const member = members.get(token);
      if (member !== undefined && atMs !== undefined) member.lastSeenAtMs = atMs;
      if (id !== undefined) asked.get(id)?.();
    },
    async worker() {
      const state = await backplane.worker();
      const found = state.worker && find(state.worker.connId);
      if (found === undefined) return state;
      await ask(...found);
      return await backplane.worker();
    },
  };
}
