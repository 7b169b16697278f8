import { networkOf, UNKNOWN_ADDRESS } from "../auth/address.ts";

export type Place =
  | { readonly ok: true; readonly leave: () => void }
  | { readonly ok: false; readonly reason: "capacity" | "address_capacity" };

/** How many clients are connected, in all and from each network. The table has one row for each network that is connected. */
export interface Places {
  take(address: string): Place;
  /** How many rows the table has. */
  size(): number;
}

/** @param limit of all clients; @param limitPerAddress of an IPv4 address or an IPv6 /64; 0 = no limit */
export function createPlaces(limit: number, limitPerAddress: number): Places {
  const taken = new Map<string, number>();
  let total = 0;
  return {
    take(address) {
      if (limit > 0 && total >= limit) return { ok: false, reason: "capacity" };
      // On a unix socket nobody has an address, and all would share one.
      const isCounted = limitPerAddress > 0 && address !== UNKNOWN_ADDRESS;
      const network = isCounted ? networkOf(address) : "";
      const ofNetwork = taken.get(network) ?? 0;
      if (isCounted && ofNetwork >= limitPerAddress) return { ok: false, reason: "address_capacity" };
      total += 1;
      taken.set(network, ofNetwork + 1);
      let hasLeft = false;
      const leave = (): void => {
        if (hasLeft) return;
        hasLeft = true;
        total -= 1;
        const left = (taken.get(network) ?? 1) - 1;
        if (left === 0) taken.delete(network);
        else taken.set(network, left);
      };
      return { ok: true, leave };
    },
    size: () => taken.size,
  };
}
