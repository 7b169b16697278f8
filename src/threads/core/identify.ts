import type { Credentials, ForwardAuth } from "../../auth/forward.ts";
import type { Seat } from "./seat.ts";

/** Forward-auth for the clients of all edges. */
export interface Identification {
  identify(seat: Seat, id: number, credentials: Credentials): void;
  /** The client has left. */
  giveUp(seat: Seat, id: number): void;
  /** The edge has gone, and all its clients with it. */
  forget(seat: Seat): void;
}

export function createIdentification(forwardAuth: Pick<ForwardAuth, "check"> | undefined): Identification {
  const asked = new Map<Seat, Map<number, AbortController>>();

  return {
    identify(seat, id, credentials) {
      if (forwardAuth === undefined) return;
      const ending = new AbortController();
      const ofSeat = asked.get(seat) ?? new Map<number, AbortController>();
      asked.set(seat, ofSeat.set(id, ending));
      void forwardAuth
        .check(credentials, ending.signal)
        .then((value) => seat.outbox.say({ op: "answer", id, value }))
        .finally(() => ofSeat.delete(id));
    },
    giveUp: (seat, id) => asked.get(seat)?.get(id)?.abort(),
    forget(seat) {
      for (const ending of asked.get(seat)?.values() ?? []) ending.abort();
      asked.delete(seat);
    },
  };
}
