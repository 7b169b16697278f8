import { within } from "../support/deadline.ts";
import { overWebSocket, type StreamConnection, type StreamEvent } from "../support/stream.ts";
import { createLine, type Line } from "./line.ts";

/** The client that writes the line down. It is there before anything is published, and comes back first after a restart. */
export interface Witness {
  readonly line: Line;
  /** Resolves once it is live at this hub. */
  connect(url: string): Promise<void>;
  /** Resolves when the line has come so far; fails when the witness itself was told something wrong. */
  seen(cursor: string): Promise<void>;
  /** Resolves when its connection is over. */
  ended(): Promise<void>;
  drop(): void;
}

export function createWitness(historyMessages: number): Witness {
  const line = createLine(historyMessages);
  let last: string | undefined;
  let connection: StreamConnection | undefined;
  let waiting: { readonly cursor: string; readonly resolve: () => void } | undefined;
  const fault = Promise.withResolvers<never>();
  // It is not unhandled while nobody waits: whoever waits next gets it.
  fault.promise.catch(() => undefined);

  const take = (event: StreamEvent, isLive: () => void): void => {
    if (event.kind === "hello" && event.resumed !== (last !== undefined)) {
      throw new Error(`the witness, since=${last}: ${JSON.stringify(event)}`);
    }
    if (event.kind === "message") line.add(event.cursor, event.text);
    else line.nameEnd(event.cursor);
    last = event.cursor;
    if (event.kind === "live") isLive();
    if (event.cursor === waiting?.cursor) waiting.resolve();
  };

  return {
    line,
    async connect(url) {
      const { promise, resolve } = Promise.withResolvers<void>();
      connection = overWebSocket({ url, since: last, take: (event) => take(event, resolve) });
      connection.ended.catch(fault.reject);
      await within(Promise.race([promise, fault.promise]), "live for the witness");
    },
    async seen(cursor) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting = { cursor, resolve };
      if (line.has(cursor)) resolve();
      await within(Promise.race([promise, fault.promise]), `message ${cursor} for the witness`);
    },
    ended: () => within(connection?.ended ?? Promise.resolve(), "end of the witness's connection"),
    drop: () => connection?.drop(),
  };
}
