import type { StreamEvent } from "../support/stream.ts";
import { checksumOf, type Line } from "./line.ts";

/** A filter as `types` has it; undefined lets everything through. */
export type Filter = readonly string[] | undefined;

/** What one connection is told, held against the line as far as that is known already. */
export interface Stretch {
  take(event: StreamEvent): void;
  /** A text of raw framing, where messages have no cursor. */
  takeRaw(text: string): void;
  /**
   * Checks what the line is far enough for.
   * @throws Error that says what is wrong: a message missed, repeated, out of order, altered, or not meant for this client
   */
  check(): void;
  /** How far it is known to have come; undefined before its first message. */
  position(): number | undefined;
  /** The first event that waits for the line. */
  waiting(): string | undefined;
}

export interface StretchOptions {
  readonly line: Line;
  readonly filter: Filter;
  readonly since: string | undefined;
  /** How much the hub keeps for sure: who asks for less must not be told that it is gone. */
  readonly kept: { readonly messages: number; readonly bytes: number };
  /**
   * Each start of a hub gives the end of the stream one more name, which the first witness never hears if a message comes
   * before it is back. On such a hub a position, not a message, may have a name that the line does not know.
   */
  readonly isRestarted: boolean;
}

interface Told {
  readonly kind: "hello" | "message" | "position";
  /** Of the text; it is not kept itself, because many may wait. */
  readonly checksum: number | undefined;
  /** The position that it names; undefined while the line is not so far. */
  readonly find: () => number | undefined;
  readonly words: string;
  readonly atMs: number;
}

/** After this a position that still has no name in the line will not get one. */
const NAME_LIMIT_MS = 10_000;

/** A `since` that no hub has ever given out. */
export const UNKNOWN_CURSOR = "00000000-999999999";

export function createStretch({ line, filter, since, kept, isRestarted }: StretchOptions): Stretch {
  const told: Told[] = [];
  let isRaw = false;
  let position: number | undefined;

  const passes = (type: string): boolean =>
    filter === undefined || type === "WORKER_STATUS" || filter.includes(type);

  /** Nothing that is meant for this client lies between where it was and `end`. */
  const skipTo = (end: number, words: string): void => {
    if (position === undefined) return;
    if (end < position) throw new Error(`went back from ${position} to ${end} with ${words}`);
    for (let at = Math.max(position, line.start()); at < end; at += 1) {
      const entry = line.entry(at);
      // The status that greets a raw client cannot be told from one of the stream, so statuses are left out there.
      if (entry === undefined || (isRaw && entry.type === "WORKER_STATUS")) continue;
      if (passes(entry.type)) throw new Error(`missed ${entry.cursor} (${entry.type}) before ${words}`);
    }
  };

  const checkHello = (words: string): void => {
    const { resumed, reason } = JSON.parse(words) as { resumed: boolean; reason: string };
    if (resumed) {
      if (since === undefined || since === UNKNOWN_CURSOR)
        throw new Error(`since=${since} was resumed: ${words}`);
      return;
    }
    const isRight =
      (reason === "none" && since === undefined) ||
      (reason === "unknown" && since === UNKNOWN_CURSOR) ||
      (reason === "evicted" && since !== undefined && isLongAgo(since));
    if (!isRight) throw new Error(`since=${since} was answered ${words}`);
  };
  const isLongAgo = (cursor: string): boolean => {
    const from = line.positionOf(cursor);
    const before = from === undefined ? undefined : line.entry(from - 1);
    const newest = line.entry(line.length() - 1);
    if (from === undefined || before === undefined || newest === undefined) return true;
    return line.length() - from >= kept.messages || newest.endByte - before.endByte >= kept.bytes;
  };

  const checkOne = ({ kind, checksum, words }: Told, at: number): void => {
    if (kind === "hello") {
      position = at;
      return;
    }
    skipTo(kind === "message" ? at - 1 : at, words);
    if (kind === "message") {
      const entry = line.entry(at - 1);
      if (position !== undefined && at <= position) throw new Error(`was sent ${words} again`);
      if (entry !== undefined && entry.checksum !== checksum)
        throw new Error(`was sent another text as ${words}`);
      if (entry !== undefined && !passes(entry.type)) throw new Error(`was sent ${words}, a ${entry.type}`);
    }
    position = at;
  };

  const isNameless = ({ kind, atMs }: Told): boolean =>
    isRestarted && kind !== "message" && performance.now() - atMs > NAME_LIMIT_MS;

  return {
    take(event) {
      const { cursor } = event;
      const atMs = performance.now();
      const find = (): number | undefined => line.positionOf(cursor);
      if (event.kind === "hello")
        told.push({ kind: "hello", checksum: undefined, find, words: JSON.stringify(event), atMs });
      else if (event.kind === "message")
        told.push({
          kind: "message",
          checksum: checksumOf(event.text),
          find,
          words: `message ${cursor}`,
          atMs,
        });
      else told.push({ kind: "position", checksum: undefined, find, words: `${event.kind} ${cursor}`, atMs });
    },
    takeRaw(text) {
      isRaw = true;
      if (text.startsWith('{"type":"WORKER_STATUS"')) return;
      const checksum = checksumOf(text);
      const find = (): number | undefined => line.positionOfChecksum(checksum);
      told.push({ kind: "message", checksum, find, words: text.slice(0, 100), atMs: performance.now() });
    },
    check() {
      let done = 0;
      try {
        for (const one of told) {
          const at = one.find();
          if (at === undefined && !isNameless(one)) break;
          done += 1;
          if (one.kind === "hello") checkHello(one.words);
          if (at !== undefined) checkOne(one, at);
        }
      } finally {
        told.splice(0, done);
      }
    },
    position: () => position,
    waiting: () => told[0]?.words,
  };
}
