import type { Backplane, Located } from "../backplane/backplane.ts";
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
 * @param located where `since` stands; undefined without one
 */
function decideStart(
  backplane: Pick<Backplane, "cursorAt">,
  fanout: Pick<Fanout, "liveOffset" | "liveCursor">,
  since: string | undefined,
  located: Located | undefined,
): Start {
  if (located?.ok !== true) {
    return {
      offset: fanout.liveOffset(),
      cursor: fanout.liveCursor(),
      resumed: located?.reason ?? "none",
    };
  }
  // The very cursor that was asked for: after a restart the same position has another one as well.
  const cursor = since === undefined || since === EARLIEST ? backplane.cursorAt(located.offset) : since;
  return { offset: located.offset, cursor, resumed: true };
}

/**
 * Finds out where a connection starts and goes on with that: at once where the backplane knows, later where it must ask.
 * @param isGone has the connection ended meanwhile?
 * @param failed called when it cannot be found out now
 */
export function withStart(
  backplane: Pick<Backplane, "barrier" | "locate" | "cursorAt">,
  fanout: Pick<Fanout, "liveOffset" | "liveCursor" | "behindLive">,
  connection: { readonly since: string | undefined; readonly isGone: () => boolean },
  goOn: (start: Start) => void,
  failed: () => void,
): void {
  const { since, isGone } = connection;
  const begin = (located: Located | undefined): void => {
    if (!isGone()) goOn(decideStart(backplane, fanout, since, located));
  };
  // Whoever comes after a receipt was given, by whichever hub, starts behind it.
  backplane.barrier(() => {
    if (since === undefined) {
      fanout.behindLive(() => begin(undefined));
      return;
    }
    const located = backplane.locate(since);
    if (!(located instanceof Promise)) begin(located);
    else located.then(begin).catch(() => (isGone() ? undefined : failed()));
  });
}
