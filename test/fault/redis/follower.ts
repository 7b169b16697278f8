import { within } from "../../support/deadline.ts";
import type { Hub } from "../../support/hub.ts";
import { type Hello, readStreamFrame, STREAM } from "../../support/streamframe.ts";

/** A message of the stream, as a client was told of it. */
export interface Seen {
  readonly cursor: string;
  readonly text: string;
}

/** A dashboard in stream framing that notes all it is told, and comes back whenever its connection ends. */
export interface Follower extends Disposable {
  /** What came since the last hello that did not resume. */
  readonly seen: readonly Seen[];
  /** The first word of each connection. */
  readonly hellos: readonly Hello[];
  /** How each connection ended. */
  readonly closes: readonly { readonly code: number; readonly reason: string }[];
  /** Resolves when `isSo` holds, which is looked at after each frame. */
  until(what: string, isSo: () => boolean): Promise<void>;
  /** Resolves when it has this message. */
  untilText(text: string): Promise<void>;
  /** The texts of `seen`. */
  texts(): string[];
}

/** What each cursor was seen to mean, by anybody. Throws where it is said to mean two messages. */
export type Meanings = Map<string, string>;

/** Only so that it does not spin while nobody listens. */
const PAUSE_MS = 10;

/** Connects, and waits until it is live. */
export async function follow(hub: Hub, meanings: Meanings = new Map(), since?: string): Promise<Follower> {
  const seen: Seen[] = [];
  const cursors = new Set<string>();
  const hellos: Hello[] = [];
  const closes: { code: number; reason: string }[] = [];
  const waiting = new Set<() => void>();
  const fault = Promise.withResolvers<never>();
  // Whoever waits next gets it.
  fault.promise.catch(() => undefined);
  let position = since;
  let isLive = false;
  let isOver = false;
  let socket: WebSocket;

  const take = (text: string): void => {
    const frame = readStreamFrame(text);
    if (frame.type === "hello") {
      hellos.push(frame);
      if (!frame.resumed) seen.length = 0;
      position = frame.cursor;
    } else if (frame.type === "message") {
      const meaning = meanings.get(frame.id) ?? frame.data;
      if (meaning !== frame.data) throw new Error(`${frame.id} meant ${meaning}, and now ${frame.data}`);
      if (cursors.has(frame.id)) throw new Error(`${frame.id} came twice`);
      cursors.add(frame.id);
      meanings.set(frame.id, frame.data);
      seen.push({ cursor: frame.id, text: frame.data });
      position = frame.id;
    } else if (frame.type === "live" || frame.type === "position") {
      isLive ||= frame.type === "live";
      position = frame.id;
    }
  };
  const changed = (): void => {
    for (const look of waiting) look();
  };
  const connect = (): void => {
    const query = position === undefined ? "" : `since=${position}`;
    socket = new WebSocket(hub.wsUrl(query), { protocols: [STREAM] });
    socket.onmessage = ({ data }) => {
      if (isOver) return;
      try {
        take(String(data));
      } catch (error) {
        isOver = true;
        fault.reject(error);
        socket.terminate();
      }
      changed();
    };
    socket.onclose = ({ code, reason }) => {
      if (isOver) return;
      closes.push({ code, reason });
      changed();
      setTimeout(() => void (isOver || connect()), PAUSE_MS);
    };
  };

  const until = async (what: string, isSo: () => boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => void (isSo() && resolve());
    waiting.add(look);
    look();
    const state = (): string => JSON.stringify({ hellos, closes, last: seen.slice(-5) });
    await within(Promise.race([promise, fault.promise]), what)
      .catch((error) => Promise.reject(new Error(`${error}: ${state()}`)))
      .finally(() => waiting.delete(look));
  };

  connect();
  await until(`live at ${hub.url}`, () => isLive);
  return {
    seen,
    hellos,
    closes,
    until,
    untilText: (text) => until(text, () => seen.some((one) => one.text === text)),
    texts: () => seen.map(({ text }) => text),
    [Symbol.dispose]() {
      isOver = true;
      socket.terminate();
    },
  };
}
