import type { Seat } from "./seat.ts";

/** What has been let in of each worker's messages, told to its edge once in each turn. */
export interface Acceptances {
  add(seat: Seat, token: string, messages: number, bytes: number): void;
}

export function createAcceptances(soon: (run: () => void) => void): Acceptances {
  const sums = new Map<string, { readonly seat: Seat; messages: number; bytes: number }>();

  const tell = (): void => {
    for (const [token, { seat, messages, bytes }] of sums) {
      seat.outbox.say({ op: "accepted", token, messages, bytes });
    }
    sums.clear();
  };
  return {
    add(seat, token, messages, bytes) {
      if (sums.size === 0) soon(tell);
      const sum = sums.get(token) ?? { seat, messages: 0, bytes: 0 };
      sums.set(token, sum);
      sum.messages += messages;
      sum.bytes += bytes;
    },
  };
}
