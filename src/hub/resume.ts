import type { Backplane } from "../backplane/backplane.ts";
import { EARLIEST } from "../protocol/cursor.ts";
import type { NotResumed } from "../protocol/envelope.ts";
import type { Fanout } from "./fanout.ts";

/** Where the delivery to a connection starts. */
export interface Start {
  /** Everything after this offset is delivered. */
  readonly offset: number;
  readonly cursor: string;
  readonly resumed: true | NotResumed;
}

/**
 * Decides what a connection gets (PROTOCOL.md, section 3): everything after `since` where all of it is held, else only
 * what is new, with the reason.
 */
export function decideStart(
  backplane: Pick<Backplane, "locate" | "cursorAt">,
  fanout: Pick<Fanout, "liveOffset">,
  since: string | undefined,
): Start {
  const located = since === undefined ? ({ ok: false, reason: "none" } as const) : backplane.locate(since);
  if (!located.ok) {
    const offset = fanout.liveOffset();
    return { offset, cursor: backplane.cursorAt(offset), resumed: located.reason };
  }
  // The very cursor that was asked for: after a restart the same position has another one as well.
  const cursor = since === undefined || since === EARLIEST ? backplane.cursorAt(located.offset) : since;
  return { offset: located.offset, cursor, resumed: true };
}
