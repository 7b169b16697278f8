import type { Entry, Receivers } from "../backplane/backplane.ts";
import type { Metrics } from "../observe/metrics.ts";
import { messageJson, positionJson } from "../protocol/envelope.ts";
import { isFilterable, passes } from "../protocol/filter.ts";
import { allOf, type Framing, ofType, POSITIONS } from "../protocol/topics.ts";
import type { Runtime } from "../runtime.ts";
import type { Feeds } from "./feeds.ts";

/** Native pub/sub, as Bun's server offers it. */
export interface PubSub {
  /** @returns bytes, -1 when a subscriber is backed up, 0 when one lost the message or none is there */
  publish(topic: string, text: string): number;
  subscriberCount(topic: string): number;
}

/** Sends entries to everybody who is live, in the order of the stream. */
export interface Fanout {
  deliver(entries: readonly Entry[]): void;
  /** Sends at once what is left of a batch. */
  catchUp(): void;
  /** Runs it once all that there is now has been sent: at once where nothing is left of a batch. */
  behindLive(run: () => void): void;
  /** Resolves when the present batch has been sent; undefined when nothing is left of one. */
  turn(): Promise<void> | undefined;
  /** The newest offset that has been sent to those who are live: where a newcomer joins. */
  liveOffset(): number;
  /** The cursor that names it. */
  liveCursor(): string;
  receivers(type: string | undefined): Receivers;
  /** Tells stream-framed clients how far the stream is. */
  tellPosition(): void;
  /** What comes next does not continue what has been sent: forgets what is left of a batch, and goes on at `offset`. */
  restart(offset: number): void;
}

/** What one turn of the event loop may send of a batch before the others get theirs: about 10 ms of writing. */
const TURN_LIMIT_DELIVERIES = 10_000;
/** How long a slice of a batch waits for backed-up readers at a time, and in all. */
const PACE_MS = 5;
const PACE_LIMIT_MS = 250;
/** Past this, a batch that is being sent in slices is sent at once, because order matters more than the pause. */
const PENDING_LIMIT_BYTES = 33_554_432;

export interface FanoutOptions {
  readonly pubSub: PubSub;
  readonly feeds: Feeds;
  readonly runtime: Runtime;
  readonly startOffset: number;
  /** After how many entries the position is told without waiting for a heartbeat. */
  readonly positionEvery: number;
  readonly cursorAt: (offset: number) => string;
  /** What one slice of a batch may send to one peer: well below what makes it a slow consumer. */
  readonly sliceBytes: number;
  /** Has anybody much to read yet? Asked between the slices of a batch. */
  readonly isCongested: () => boolean;
  /** Told what each publish returned: the search for slow consumers hangs on it. */
  readonly sent: (result: number, byteCount: number) => void;
  readonly metrics: Pick<Metrics, "deliveries" | "deliveredBytes">;
}

export function createFanout(options: FanoutOptions): Fanout {
  const { pubSub, feeds, runtime, sent, metrics } = options;
  let live = options.startOffset;
  /** The last that was sent; undefined where nothing has been since the start. */
  let lastCursor: string | undefined;
  /** Entries in the history but not sent yet; empty but for batches. */
  let pending: Entry[] = [];
  let pendingBytes = 0;
  /** Those behind an entry of `pending`, in its order: newcomers, and who asks within the allowance for it. */
  const behind: { readonly offset: number; readonly run: () => void }[] = [];
  let isSending = false;
  let isScheduled = false;
  /** How long the next slice has waited for the readers of the last one. */
  let waitedMs = 0;

  const publish = (topic: string, text: string): void => sent(pubSub.publish(topic, text), text.length);

  /** @returns to how many */
  const toTopic = (topic: string, frame: () => string): number => {
    const subscribers = pubSub.subscriberCount(topic);
    if (subscribers > 0) publish(topic, frame());
    return subscribers;
  };
  const toClass = (framing: Framing, entry: Entry, frame: () => string): number =>
    (passes(undefined, entry.type) ? toTopic(allOf(framing), frame) : 0) +
    (isFilterable(entry.type) ? toTopic(ofType(framing, entry.type), frame) : 0);

  const send = (entry: Entry): void => {
    let envelope: string | undefined;
    const subscribers =
      toClass("raw", entry, () => entry.text) +
      toClass("stream", entry, () => {
        envelope ??= messageJson(entry.cursor, entry.text);
        return envelope;
      });
    metrics.deliveries.add("websocket", subscribers);
    metrics.deliveredBytes.add("websocket", subscribers * entry.byteCount);
    feeds.push(entry);
    live = entry.offset;
    lastCursor = entry.cursor;
    if (live % options.positionEvery === 0) tellPosition();
  };

  const tellPosition = (): void => {
    if (pubSub.subscriberCount(POSITIONS) > 0) publish(POSITIONS, positionJson(liveCursor()));
  };
  const liveCursor = (): string => lastCursor ?? options.cursorAt(live);

  const receivers = (type: string | undefined): Receivers => {
    let websocket = pubSub.subscriberCount(allOf("raw")) + pubSub.subscriberCount(allOf("stream"));
    if (isFilterable(type)) {
      websocket +=
        pubSub.subscriberCount(ofType("raw", type)) + pubSub.subscriberCount(ofType("stream", type));
    }
    return { websocket, sse: feeds.count(type) };
  };

  const behindLive = (run: () => void): void => {
    const last = pending.at(-1);
    if (last === undefined) run();
    else behind.push({ offset: last.offset, run });
  };
  const runBehind = (): void => {
    const later = behind.findIndex(({ offset }) => offset > live);
    for (const { run } of behind.splice(0, later === -1 ? behind.length : later)) run();
  };
  const sendPending = (limitDeliveries: number, limitBytes: number): void => {
    let deliveries = 0;
    let bytes = 0;
    let at = 0;
    isSending = true;
    for (; at < pending.length && deliveries < limitDeliveries && bytes < limitBytes; at++) {
      const entry = pending[at] as Entry;
      const { websocket, sse } = receivers(entry.type);
      deliveries += 1 + websocket + sse;
      bytes += entry.byteCount;
      send(entry);
    }
    isSending = false;
    pending = pending.slice(at);
    pendingBytes -= bytes;
    runBehind();
  };
  const continuePending = (): void => {
    isScheduled = false;
    // Slices can follow each other faster than any network takes them, and a batch may be larger than what makes a
    // slow consumer. So each slice waits for the readers of the one before; who reads nothing is too slow after four.
    if (waitedMs < PACE_LIMIT_MS && options.isCongested()) {
      waitedMs += PACE_MS;
      isScheduled = true;
      runtime.after(PACE_MS, continuePending);
      return;
    }
    waitedMs = 0;
    sendPending(TURN_LIMIT_DELIVERIES, options.sliceBytes);
    schedule();
  };
  const schedule = (): void => {
    if (pending.length === 0 || isScheduled) return;
    isScheduled = true;
    runtime.soon(continuePending);
  };
  const catchUp = (): void => sendPending(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);

  return {
    deliver(entries) {
      const [only] = entries;
      if (!isSending && pending.length === 0 && entries.length === 1 && only !== undefined) {
        isSending = true;
        send(only);
        isSending = false;
        schedule();
        return;
      }
      for (const entry of entries) {
        pending.push(entry);
        pendingBytes += entry.byteCount;
      }
      // Sending may close a socket, and that may publish a status: it waits for its turn like everything else.
      if (isSending) return;
      if (pendingBytes > PENDING_LIMIT_BYTES) catchUp();
      else if (!isScheduled) continuePending();
    },
    catchUp,
    behindLive,
    turn: () => (pending.length === 0 ? undefined : new Promise((resolve) => behindLive(resolve))),
    liveOffset: () => live,
    liveCursor,
    receivers,
    tellPosition,
    restart(offset) {
      pending = [];
      pendingBytes = 0;
      live = offset;
      lastCursor = undefined;
      for (const { run } of behind.splice(0)) run();
    },
  };
}
