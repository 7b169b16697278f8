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

/** @param turn resolves when the batch that is being sent has been sent; undefined when nothing is left of it */
export function createReceipts(
  outbox: Pick<Outbox<ToCore>, "say">,
  turn: () => Promise<void> | undefined,
): Receipts {
  let toldMessages = 0;
  let toldBytes = 0;
  let sentMessages = 0;
  let sentBytes = 0;
  let isWaiting = false;

  const tell = (): void => {
    if (sentMessages === 0) return;
    outbox.say({ op: "sent", messages: sentMessages, bytes: sentBytes });
    sentMessages = 0;
    sentBytes = 0;
  };
  const look = (): void => {
    if (isWaiting) return;
    const rest = turn();
    if (rest !== undefined) {
      isWaiting = true;
      void rest.then(() => {
        isWaiting = false;
        look();
      });
      return;
    }
    sentMessages += toldMessages;
    sentBytes += toldBytes;
    toldMessages = 0;
    toldBytes = 0;
    if (sentMessages >= TELL_MESSAGES || sentBytes >= TELL_BYTES) tell();
  };

  return {
    delivered(entries) {
      toldMessages += entries.length;
      for (const { byteCount } of entries) toldBytes += byteCount;
      look();
    },
    tick: tell,
  };
}
