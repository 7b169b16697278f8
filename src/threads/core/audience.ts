import type { Receivers } from "../../backplane/backplane.ts";
import type { AudienceChange } from "../wire/to-core.ts";
import type { Audience, Seat } from "./seat.ts";

export function changeAudience(audience: Audience, [types, transport, by]: AudienceChange): void {
  if (types === null) {
    audience.all[transport] += by;
    return;
  }
  for (const type of types) {
    const counts = audience.byType.get(type) ?? { websocket: 0, sse: 0 };
    counts[transport] += by;
    if (counts.websocket === 0 && counts.sse === 0) audience.byType.delete(type);
    else audience.byType.set(type, counts);
  }
}

/** How many connections of the whole process a message of this type goes to. */
export function receiversOf(seats: Iterable<Seat>, type: string | undefined): Receivers {
  const sum = { websocket: 0, sse: 0 };
  for (const { audience } of seats) {
    const named = type === undefined ? undefined : audience.byType.get(type);
    sum.websocket += audience.all.websocket + (named?.websocket ?? 0);
    sum.sse += audience.all.sse + (named?.sse ?? 0);
  }
  return sum;
}
