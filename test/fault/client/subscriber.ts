import { type Connection, type ConnectOptions, connect } from "../../../src/client/index.ts";
import { within } from "../../support/deadline.ts";

/** A client of the library, and everything that it was told. */
export interface Subscriber extends Disposable {
  readonly connection: Connection;
  /** The texts of the messages, in the order in which they came. */
  readonly texts: readonly string[];
  /** Every reset but the one of the start. */
  readonly resets: readonly string[];
  /** Resolves when this message has come, past or future. */
  until(text: string): Promise<void>;
  /** Resolves when this is so; asked at every message and every change of the connection. */
  when(what: string, isSo: () => boolean): Promise<void>;
}

/** Tries in quick succession, so that hundreds of cuts take seconds. */
export const IMPATIENT = { firstMs: 2, limitMs: 10 } as const;

export function subscribe(url: string, options: ConnectOptions = {}): Subscriber {
  const texts: string[] = [];
  const resets: string[] = [];
  const watchers = new Set<() => void>();
  const look = (): void => {
    for (const watcher of watchers) watcher();
  };
  const connection = connect(url, {
    backoff: IMPATIENT,
    ...options,
    onMessage({ text }) {
      texts.push(text);
      look();
    },
    onReset({ reason }) {
      if (reason !== "start") resets.push(reason);
      look();
    },
    onState: look,
  });
  const when = async (what: string, isSo: () => boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = (): void => {
      if (isSo()) resolve();
    };
    watchers.add(watcher);
    watcher();
    try {
      await within(promise, what);
    } finally {
      watchers.delete(watcher);
    }
  };
  return {
    connection,
    texts,
    resets,
    when,
    until: (text) => when(text, () => texts.includes(text)),
    [Symbol.dispose]: () => connection.close(),
  };
}
