import type { Config } from "../../config/schema.ts";
import { createLimits, type Limits } from "../../edge/limits.ts";
import type { Runtime } from "../../runtime.ts";
import type { Answer } from "../wire/hotline.ts";
import { answerHotline } from "../wire/hotline.ts";
import { clearTally, tallyMemory } from "../wire/tally.ts";
import type { ToCore } from "../wire/to-core.ts";
import type { Seat } from "./seat.ts";

/** The limits that count the whole process, as far as the core decides them. */
export interface Entrance {
  /** In which all edges count their clients. */
  readonly tally: SharedArrayBuffer;
  /** Answers an edge, which stands still until then. */
  answer(seat: Seat, call: Extract<ToCore, { op: "call" }>): void;
  /** A client from this address has left. */
  free(seat: Seat, address: string): void;
  /** The edge has gone, and all its clients with it. */
  freeAll(seat: Seat): void;
  /** For those who come to the core itself. */
  readonly limits: Limits;
}

export function createEntrance(
  config: Config,
  runtime: Pick<Runtime, "monotonicMs">,
  threads: number,
): Entrance {
  const tally = tallyMemory(threads);
  // All clients together are counted in the shared memory alone.
  const limits = createLimits({ ...config, MAX_CONNECTIONS: 0 }, runtime);

  const take = ({ places }: Seat, address: string): Answer => {
    const place = limits.take(address);
    if (!place.ok) return [0, 0];
    const held = places.get(address);
    if (held === undefined) places.set(address, [place.leave]);
    else held.push(place.leave);
    return [1, 0];
  };
  const fail = (address: string): Answer => {
    const { retryAfterS, crossed } = limits.failure(address);
    return [retryAfterS, crossed ? 1 : 0];
  };

  return {
    tally,
    answer(seat, { call, what, address }) {
      answerHotline(seat.hotline, call, what === "take" ? take(seat, address) : fail(address));
    },
    free({ places }, address) {
      const leaves = places.get(address);
      leaves?.pop()?.();
      if (leaves?.length === 0) places.delete(address);
    },
    freeAll({ places, thread }) {
      for (const leaves of places.values()) for (const leave of leaves) leave();
      places.clear();
      clearTally(tally, thread);
    },
    limits,
  };
}
