import { createBackoff } from "../protocol/backoff.ts";
import { type HubError, hubErrorOf } from "./errors.ts";
import type { Cancel, ClientRuntime } from "./runtime.ts";
import type { Ended, Session, Sink } from "./transport.ts";

/**
 * - `connecting`: a try is under way.
 * - `open`: the hub has answered.
 * - `waiting`: for the time of the next try, or for a reader that is too slow.
 * - `closed`: it is over for good.
 */
export type State = "connecting" | "open" | "waiting" | "closed";

/** Times between tries: see `Backoff` in protocol/backoff.ts. All in milliseconds. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly limitMs: number;
  readonly stableMs: number;
}

export interface LineOptions {
  readonly runtime: ClientRuntime;
  readonly backoff: BackoffLimits;
  /** From the first packet to the hub's first frame. */
  readonly openTimeoutMs: number;
  /** An open line that is silent for so long is probed with a `ping`, … */
  readonly silenceLimitMs: () => number;
  /** … and given up when nothing comes for so long after that. */
  readonly probeTimeoutMs: number;
  readonly dial: (sink: Sink) => Session;
  readonly frame: (text: string) => void;
  /** A try or a connection has ended that was not ended from here; another follows. */
  readonly lost: (ended: Ended, wasOpen: boolean) => void;
  readonly changed: () => void;
  /** It is over for good: undefined after `close`. */
  readonly over: (error: HubError | undefined) => void;
}

/** What is known about a line at one moment. Times are in milliseconds since 1970. */
export interface LineInfo {
  readonly state: State;
  /** Tries since the line was last open, the present one included. */
  readonly tries: number;
  readonly nextTryAtMs: number | undefined;
  readonly openSinceMs: number | undefined;
  readonly lastHeardAtMs: number | undefined;
  /** Does it wait because the reader is too slow? */
  readonly isHeld: boolean;
  /** How the last connection or try ended. */
  readonly lastEnd: Ended | undefined;
}

/** A connection that is made anew whenever it is lost (PROTOCOL.md, section 1, on close codes). */
export interface Line {
  info(): LineInfo;
  session(): Session | undefined;
  /** The hub has answered as it should: from now on the line is open. */
  opened(): void;
  /** Sends, where the line is open. @returns false where it is not */
  send(text: string): boolean;
  /** The hub has said when to come back. That beats the next random delay. */
  comeBackAfter(delayMs: number): void;
  /** Reads nothing more: by pausing, or where the transport cannot, by hanging up until `release`. */
  hold(): void;
  release(): void;
  /** Hangs up, and dials at once. */
  redial(): void;
  /** Now is a good moment: dials if it was only waiting for a random delay, and probes an open line. */
  wake(): void;
  close(): void;
  fail(error: HubError): void;
}

/** A goodbye cannot send a client away for longer than this. */
const COME_BACK_LIMIT_MS = 300_000;
/** However often the page is hidden and shown, tries are at least so far apart. */
const WAKE_INTERVAL_MS = 1_000;

export function createLine(options: LineOptions): Line {
  const { runtime } = options;
  const backoff = createBackoff({ runtime, ...options.backoff });
  let state: State = "connecting";
  let session: Session | undefined;
  let tries = 0;
  let isHeld = false;
  let isProbing = false;
  let announcedMs: number | undefined;
  /** Is the time of the next try one that the hub has asked for? */
  let isObeying = false;
  let nextTryAtMs: number | undefined;
  let openSinceMs: number | undefined;
  let lastHeardAtMs: number | undefined;
  let heardMs = 0;
  let dialedMs = 0;
  let lastEnd: Ended | undefined;
  let cancelNext: Cancel = () => undefined;
  let cancelWatch: Cancel = () => undefined;

  const heard = (): void => {
    heardMs = runtime.monotonicMs();
    lastHeardAtMs = runtime.nowMs();
    isProbing = false;
  };

  const become = (next: State): void => {
    state = next;
    if (next !== "open") openSinceMs = undefined;
    if (next !== "waiting") nextTryAtMs = undefined;
    options.changed();
  };

  const watch = (delayMs: number): void => {
    cancelWatch();
    cancelWatch = runtime.after(Math.max(1, delayMs), check);
  };

  /** A browser may run this late, with frames waiting to be handed over: so nothing is given up without a probe. */
  const check = (): void => {
    if (session === undefined) return;
    if (state === "connecting") {
      giveUp(`no answer within ${options.openTimeoutMs} ms`);
      return;
    }
    const silentMs = runtime.monotonicMs() - heardMs;
    const limitMs = options.silenceLimitMs();
    if (isProbing && !isHeld) giveUp(`nothing came for ${Math.round(silentMs)} ms`);
    else if (isHeld || silentMs < limitMs) watch(isHeld ? limitMs : limitMs - silentMs);
    else probe();
  };

  const probe = (): void => {
    isProbing = true;
    session?.send("ping");
    watch(options.probeTimeoutMs);
  };

  const giveUp = (reason: string): void => {
    session?.end("at once");
    ended({ code: 1006, reason, isFinal: false, retryAfterMs: undefined, cause: undefined });
  };

  const ended = (end: Ended): void => {
    const wasOpen = state === "open";
    session = undefined;
    cancelWatch();
    lastEnd = end;
    if (end.isFinal) {
      finish(hubErrorOf(end));
      return;
    }
    if (wasOpen) tries = 0;
    options.lost(end, wasOpen);
    if (state !== "closed") waitForNext(end.retryAfterMs ?? 0);
  };

  const waitForNext = (leastMs: number): void => {
    isObeying = announcedMs !== undefined || leastMs > 0;
    // The same Retry-After for all must not bring all back at once.
    const delayMs = announcedMs ?? leastMs + backoff.nextDelayMs();
    announcedMs = undefined;
    nextTryAtMs = runtime.nowMs() + delayMs;
    become("waiting");
    cancelNext();
    if (!isHeld) cancelNext = runtime.after(delayMs, dial);
  };

  const dial = (): void => {
    cancelNext();
    if (isHeld) {
      become("waiting");
      return;
    }
    tries += 1;
    isProbing = false;
    dialedMs = runtime.monotonicMs();
    const own = options.dial({
      frame(text) {
        if (session !== own) return;
        heard();
        options.frame(text);
      },
      heard() {
        if (session === own) heard();
      },
      ended(end) {
        if (session === own) ended(end);
      },
    });
    session = own;
    watch(options.openTimeoutMs);
    become("connecting");
  };

  const finish = (error: HubError | undefined): void => {
    if (state === "closed") return;
    cancelNext();
    cancelWatch();
    cancelWake();
    session?.end("gracefully");
    session = undefined;
    become("closed");
    options.over(error);
  };

  const hangUp = (): void => {
    cancelWatch();
    session?.end("gracefully");
    session = undefined;
  };

  const wake = (): void => {
    const nowMs = runtime.monotonicMs();
    if (state === "open" && !isHeld && !isProbing) probe();
    else if (state === "waiting" && !isHeld && !isObeying && nowMs - dialedMs >= WAKE_INTERVAL_MS) dial();
  };

  const cancelWake = runtime.onWake(wake);
  // The caller has to get its line first, or it could be called back about one that it does not know.
  cancelNext = runtime.after(0, dial);

  return {
    info: () => ({ state, tries, nextTryAtMs, openSinceMs, lastHeardAtMs, isHeld, lastEnd }),
    session: () => session,
    opened() {
      if (state !== "connecting") return;
      backoff.succeeded();
      openSinceMs = runtime.nowMs();
      watch(options.silenceLimitMs());
      become("open");
    },
    send: (text) => state === "open" && session?.send(text) === true,
    comeBackAfter(delayMs) {
      announcedMs = Math.min(delayMs, COME_BACK_LIMIT_MS);
    },
    hold() {
      if (isHeld || state === "closed") return;
      isHeld = true;
      if (session !== undefined && !session.pause()) {
        hangUp();
        become("waiting");
      } else if (state === "waiting") cancelNext();
    },
    release() {
      if (!isHeld || state === "closed") return;
      isHeld = false;
      if (session === undefined) dial();
      else {
        heard();
        session.resume();
      }
    },
    redial() {
      if (state === "closed") return;
      hangUp();
      dial();
    },
    wake,
    close: () => finish(undefined),
    fail: finish,
  };
}
