import { HubError } from "./errors.ts";
import { createResolvers } from "./inbox.ts";
import type { ClientRuntime } from "./runtime.ts";

/** How much may wait for its acknowledgement. */
export interface OutboxLimit {
  readonly messages: number;
  readonly bytes: number;
}

interface Entry extends PromiseWithResolvers<string> {
  readonly ref: string;
  readonly key: string | undefined;
  readonly frame: string;
  readonly bytes: number;
  /** In ms since 1970, because a machine that sleeps stops the other clock. Undefined while it has never been sent. */
  firstSentMs: number | undefined;
}

/** Messages on their way to the hub: kept until they are acknowledged, and sent again in the same order under the same keys. */
export interface Outbox {
  /** @returns the cursor, once the hub has acknowledged it; rejects with a HubError */
  add(data: string, bytes: number, key: string | undefined): Promise<string>;
  /** A new connection is open: everything unacknowledged is sent again. */
  resend(): void;
  acknowledged(ref: string, cursor: string): void;
  refused(ref: string, reason: string): void;
  /** Nothing more can come of what is left. */
  fail(error: HubError): void;
  /** Resolves when nothing is left. */
  empty(): Promise<void>;
  readonly messages: number;
  readonly bytes: number;
}

/** The hub remembers keys for 10 minutes: later than this a message that may have been published must not be sent again. */
const RESEND_LIMIT_MS = 540_000;

/** @param send @returns false where there is no connection: `resend` comes later */
export function createOutbox(
  runtime: Pick<ClientRuntime, "nowMs">,
  limit: OutboxLimit,
  send: (frame: string) => boolean,
): Outbox {
  /** By ref, in the order in which they were added. */
  const entries = new Map<string, Entry>();
  let bytes = 0;
  let refs = 0;
  let waiters: (() => void)[] = [];

  const remove = (ref: string): Entry | undefined => {
    const entry = entries.get(ref);
    if (entry === undefined) return undefined;
    entries.delete(ref);
    bytes -= entry.bytes;
    if (entries.size > 0) return entry;
    for (const resolve of waiters) resolve();
    waiters = [];
    return entry;
  };
  const transmit = (entry: Entry): void => {
    if (send(entry.frame)) entry.firstSentMs ??= runtime.nowMs();
  };
  const isUncertain = ({ key, firstSentMs }: Entry): boolean =>
    firstSentMs !== undefined && (key === undefined || runtime.nowMs() - firstSentMs > RESEND_LIMIT_MS);

  return {
    add(data, byteCount, key) {
      if (entries.size >= limit.messages || bytes + byteCount > limit.bytes) {
        const full = `${entries.size} messages of ${bytes} bytes wait for their acknowledgement`;
        return Promise.reject(new HubError("outbox_full", `the outbox is full: ${full}`));
      }
      refs += 1;
      const ref = String(refs);
      const keyMember = key === undefined ? "" : `"key":${JSON.stringify(key)},`;
      // `data` is the last member: the hub forwards its text.
      const frame = `{"type":"publish","ref":"${ref}",${keyMember}"data":${data}}`;
      const entry: Entry = {
        ...createResolvers<string>(),
        ...{ ref, key, frame, bytes: byteCount, firstSentMs: undefined },
      };
      entries.set(ref, entry);
      bytes += byteCount;
      transmit(entry);
      return entry.promise;
    },
    resend() {
      for (const entry of [...entries.values()]) {
        if (!isUncertain(entry)) {
          transmit(entry);
          continue;
        }
        remove(entry.ref);
        const message =
          "the connection was lost before the acknowledgement: it may have been published or not";
        entry.reject(new HubError("uncertain", message));
      }
    },
    acknowledged: (ref, cursor) => remove(ref)?.resolve(cursor),
    refused: (ref, reason) =>
      remove(ref)?.reject(new HubError("rejected", `the hub refuses the message: ${reason}`)),
    fail(error) {
      for (const ref of [...entries.keys()]) remove(ref)?.reject(error);
    },
    empty() {
      if (entries.size === 0) return Promise.resolve();
      return new Promise((resolve) => waiters.push(resolve));
    },
    get messages() {
      return entries.size;
    },
    get bytes() {
      return bytes;
    },
  };
}
