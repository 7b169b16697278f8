import type { StreamConnection, StreamEvent, StreamTransport } from "../../support/stream.ts";
import type { Run } from "./run.ts";

/** A client that comes back with the last cursor that it has seen, whatever ended its connection. */
export interface Observer {
  readonly name: string;
  /** The cursors of all messages, in the order in which they came. */
  readonly cursors: readonly string[];
  readonly types: readonly string[] | undefined;
  /** Resolves when the message with this cursor has come. */
  reached(cursor: string): Promise<void>;
  stop(): void;
  /** Resolves after `stop`; fails when the hub broke the contract. */
  readonly ended: Promise<void>;
}

export interface ObserverOptions {
  readonly name: string;
  readonly transport: StreamTransport;
  readonly types?: readonly string[];
  /** Comes back with an older cursor now and then, and has to see the same once more. */
  readonly rewinds?: boolean;
}

/** It drops its connection at one in so many events, and stays away for up to so long. */
const DROP_ONE_IN = 3_000;
const AWAY_LIMIT_MS = 150;
/** How far it goes back, but for one time in five, when it may go back to the very beginning. */
const REWIND_LIMIT_MESSAGES = 1_000;

export function startObserver(run: Run, options: ObserverOptions): Observer {
  const { name, transport, types } = options;
  const random = run.randomFor(name);
  const cursors: string[] = [];
  let position = "earliest";
  let connection: StreamConnection | undefined;
  let isStopped = false;
  let isAway = false;
  let awaited: { readonly cursor: string; readonly resolve: () => void } | undefined;

  const take = (event: StreamEvent): void => {
    if (event.kind === "hello" && !event.resumed)
      throw new Error(`${name} could not resume from ${position}: ${event.reason}`);
    position = event.cursor;
    if (event.kind === "message") {
      run.ledger.seen(event.cursor, event.text);
      cursors.push(event.cursor);
      if (event.cursor === awaited?.cursor) awaited.resolve();
    }
    if (run.isEnding() || random.below(DROP_ONE_IN) > 0) return;
    isAway = true;
    connection?.drop();
  };

  const rewind = (): void => {
    const limit = random.below(5) === 0 ? cursors.length : Math.min(cursors.length, REWIND_LIMIT_MESSAGES);
    cursors.length -= random.below(limit + 1);
    position = cursors.at(-1) ?? "earliest";
  };

  const live = async (): Promise<void> => {
    while (!isStopped) {
      await run.hub.up();
      if (options.rewinds === true && !run.isEnding()) rewind();
      connection = transport({ url: run.hub.url, since: position, types: types?.join(","), take });
      await connection.ended;
      // A client that is away for a while has something to catch up on.
      if (isAway) await Bun.sleep(random.below(AWAY_LIMIT_MS));
      isAway = false;
    }
  };

  return {
    name,
    cursors,
    types,
    reached(cursor) {
      const { promise, resolve } = Promise.withResolvers<void>();
      awaited = { cursor, resolve };
      if (cursors.includes(cursor)) resolve();
      return promise;
    },
    stop() {
      isStopped = true;
      connection?.drop();
    },
    ended: live(),
  };
}
