import type { Runtime } from "../../runtime.ts";
import { type Texts, unpack } from "../wire/batch.ts";
import type { ToEdge } from "../wire/to-edge.ts";

/** What the core has said, taken in order and not all at once. */
export interface Inbox {
  hear(batch: string): void;
}

export interface InboxOptions {
  readonly runtime: Pick<Runtime, "soon">;
  /** How many bytes of entries one turn of the event loop takes, or one lot that is larger. */
  readonly turnBytes: number;
  readonly take: (op: ToEdge, texts: Texts) => void;
}

interface Batch {
  readonly ops: readonly ToEdge[];
  readonly texts: Texts;
  /** The first op that has not been taken. */
  next: number;
}

/**
 * A hub with one thread reads no more from a worker than it sends on in the same turn. Here the core can be far ahead: so
 * each turn takes as much as it would read, and lets the sockets write in between, or readers that are quick would be taken
 * for slow ones. The core's credits bound what waits.
 */
export function createInbox({ runtime, turnBytes, take }: InboxOptions): Inbox {
  let batches: Batch[] = [];
  let leftBytes = turnBytes;
  let isScheduled = false;

  const takeFrom = (batch: Batch): void => {
    while (batch.next < batch.ops.length && leftBytes > 0) {
      const op = batch.ops[batch.next++] as ToEdge;
      if (op.op === "entries") {
        for (const [, byteCount] of op.heads) leftBytes -= byteCount;
      }
      take(op, batch.texts);
    }
  };
  const run = (): void => {
    let done = 0;
    for (const batch of batches) {
      takeFrom(batch);
      if (batch.next < batch.ops.length) break;
      done += 1;
    }
    batches = batches.slice(done);
    if (isScheduled || leftBytes === turnBytes) return;
    isScheduled = true;
    runtime.soon(nextTurn);
  };
  const nextTurn = (): void => {
    isScheduled = false;
    leftBytes = turnBytes;
    run();
  };

  return {
    hear(batch) {
      batches.push({ ...unpack<ToEdge>(batch), next: 0 });
      run();
    },
  };
}
