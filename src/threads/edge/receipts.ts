import type { Entry } from "../../backplane/backplane.ts";
import type { Outbox } from "../wire/batch.ts";
import type { ToCore } from "../wire/to-core.ts";

/** Tells the core how much of what it told has really been sent: the core lets more in accordingly. */
export interface Receipts {
  /** The hub has been told of these. */
  delivered(entries: readonly Entry[]): void;
  /** To be called about once a second: tells what is left to tell. */
  tick(): void;
}

/** Told at once when so much has come together. */
const TELL_MESSAGES = 1_024;
const TELL_BYTES = 1_048_576;

/** @param behindLive runs it once all that there is now has been sent */
export function createReceipts(
  outbox: Pick<Outbox<ToCore>, "say">,
  behindLive: (run: () => void) => void,
): Receipts {
  let messages = 0;
  let bytes = 0;

  const tell = (): void => {
    if (messages === 0) return;
    outbox.say({ op: "sent", messages, bytes });
    messages = 0;
    bytes = 0;
  };

  return {
    delivered(entries) {
      behindLive(() => {
        messages += entries.length;
        for (const { byteCount } of entries) bytes += byteCount;
        if (messages >= TELL_MESSAGES || bytes >= TELL_BYTES) tell();
      });
    },
    tick: tell,
  };
}
