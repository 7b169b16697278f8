import { createMember, type Member, type Tally } from "./member.ts";

/**
 * Half of a fleet, in a process of its own: `fleet-process.ts URL COUNT PATIENCE`. It opens the connections a few at a time,
 * and tells its parent how it stands whenever that may have changed.
 */

export interface Standing extends Tally {
  readonly members: number;
  /** The number of the last message, of the member that is furthest behind and of the one that is furthest ahead. */
  readonly slowest: number;
  readonly fastest: number;
}

const OPENING_AT_ONCE = 100;
const TELL_INTERVAL_MS = 50;

const [url = "", count = "0", patience = "1"] = process.argv.slice(2);
const tally: Tally = {
  live: 0,
  goodbyes: 0,
  closes: {},
  returns: {},
  announcedMs: [],
  arrivedMs: [],
  faults: [],
};
const members: Member[] = [];

function tell(): void {
  const last = members.map((member) => member.last());
  const standing: Standing = {
    ...tally,
    members: members.length,
    slowest: Math.min(...last),
    fastest: Math.max(...last),
  };
  process.send?.(standing);
}

const opening = setInterval(() => {
  const wanted = Math.min(Number(count), tally.live + OPENING_AT_ONCE);
  while (members.length < wanted) {
    members.push(createMember({ url, tally, patience: Number(patience) }));
  }
  if (members.length === Number(count)) clearInterval(opening);
}, 5);
setInterval(tell, TELL_INTERVAL_MS);
// Whoever started it has gone, or needs it no longer.
process.on("disconnect", () => process.exit());
