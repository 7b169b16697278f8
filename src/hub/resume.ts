import type { Backplane } from "../backplane/backplane.ts";
import type { NotResumed } from "../protocol/envelope.ts";

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
  since: string | undefined,
  liveOffset: number,
): Start {
  const located = since === undefined ? ({ ok: false, reason: "none" } as const) : backplane.locate(since);
  // A batch that is being sent in slices is in the history before it is live: nobody is ahead of what is live.
  const offset = located.ok ? Math.min(located.offset, liveOffset) : liveOffset;
  return { offset, cursor: backplane.cursorAt(offset), resumed: located.ok ? true : located.reason };
}
