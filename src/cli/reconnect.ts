import { createBackoff } from "../bridge/backoff.ts";
import { CLOSE } from "../protocol/close.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import { EXIT, printable, type Terminal } from "./terminal.ts";
import { handshakeTrouble, troubleOf, whyAndRepair } from "./trouble.ts";

/** Tries follow each other at random times of up to this, at first and at most. */
const RETRY_FIRST_MS = 500;
const RETRY_LIMIT_MS = 10_000;
/** A connection that has lasted so long was a good one: the next tries begin anew with short delays. */
const STABLE_MS = 10_000;
/** From the first packet to the answer of the handshake. */
const OPENING_LIMIT_MS = 10_000;
/** How long the closing handshake may take at the end. */
const CLOSING_LIMIT_MS = 500;
const WATCH_INTERVAL_MS = 500;

/** Why it is over. */
export type Ending =
  | { readonly code: "stopped" }
  /** The first try failed: a wrong address must not be tried for ever. */
  | { readonly code: "unreachable"; readonly why: string }
  /** The hub does not want this connection back. */
  | { readonly code: "dismissed"; readonly closeCode: number; readonly reason: string };

export interface ReconnectOptions {
  readonly runtime: Pick<Runtime, "after" | "every" | "monotonicMs" | "random">;
  /** The path that is asked for, for error messages. */
  readonly path: string;
  /** Makes the WebSocket of one try. */
  readonly open: () => WebSocket;
  /** A hub from which nothing has come for so long is given up. */
  readonly silenceLimitMs: () => number;
  readonly opened: () => void;
  readonly text: (text: string) => void;
  /** Once for each connection that was lost, not for every try after it. */
  readonly lost: (why: string) => void;
}

/** A WebSocket that is opened again and again (PROTOCOL.md, section 1, on close codes). */
export interface Reconnecting {
  readonly ended: Promise<Ending>;
  /** @returns false where there is no connection, and the text was dropped */
  send(text: string): boolean;
  isOpen(): boolean;
  unsentBytes(): number;
  /** Stops and goes on reading; what comes meanwhile fills the connection's buffers, and the hub notices. */
  pause(): void;
  resume(): void;
  /** The hub has said when to come back: that beats the next random delay. */
  comeBackAfter(delayMs: number): void;
  stop(): void;
}

/** Says how it ended. @returns the exit code */
export function conclude(ending: Ending, shown: string, say: Terminal["say"]): number {
  if (ending.code === "stopped") return EXIT.done;
  say(
    ending.code === "unreachable"
      ? `${shown} cannot be reached: ${ending.why}`
      : `${shown} ended the connection for good: ${ending.closeCode} ${printable(ending.reason)}`,
  );
  return EXIT.failed;
}

/** Does this close code ask to come back? Unknown ones and a lost connection do. */
function isTerminal(closeCode: number): boolean {
  const known = Object.values(CLOSE).find(({ code }) => code === closeCode);
  return known !== undefined && known.comeBack !== "after a random delay";
}

export function stayConnected(options: ReconnectOptions): Reconnecting {
  const { runtime, path } = options;
  const backoff = createBackoff({
    runtime,
    firstMs: RETRY_FIRST_MS,
    limitMs: RETRY_LIMIT_MS,
    stableMs: STABLE_MS,
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<Ending>();
  let socket: WebSocket | undefined;
  let isOpen = false;
  let wasEverOpen = false;
  let isPaused = false;
  let isStopped = false;
  let announcedDelayMs: number | undefined;
  let lastHeardMs = 0;
  let cancelNext: Cancel | undefined;

  const finish = (ending: Ending): void => {
    isStopped = true;
    cancelNext?.();
    stopWatch();
    end(ending);
  };

  const connect = (): void => {
    const opening = options.open();
    let failure: string | undefined;
    let isOver = false;
    socket = opening;
    const over = (why: string, close?: { readonly code: number; readonly reason: string }): void => {
      if (isOver) return;
      isOver = true;
      cancelOpening();
      const hadOpened = isOpen;
      isOpen = false;
      if (isStopped) finish({ code: "stopped" });
      else if (!wasEverOpen) finish({ code: "unreachable", why });
      else if (hadOpened && close !== undefined && isTerminal(close.code))
        finish({ code: "dismissed", closeCode: close.code, reason: close.reason });
      else {
        if (hadOpened) options.lost(why);
        cancelNext = runtime.after(announcedDelayMs ?? backoff.nextDelayMs(), connect);
        announcedDelayMs = undefined;
      }
    };
    giveUp = (why) => {
      opening.terminate();
      over(why);
    };
    const cancelOpening = runtime.after(OPENING_LIMIT_MS, () =>
      giveUp(`no answer within ${OPENING_LIMIT_MS} ms: check the address`),
    );

    opening.onopen = () => {
      if (isOver) return;
      cancelOpening();
      isOpen = true;
      wasEverOpen = true;
      lastHeardMs = runtime.monotonicMs();
      backoff.succeeded();
      if (isPaused) opening.pause();
      options.opened();
    };
    opening.onmessage = ({ data }) => {
      if (isOver) return;
      lastHeardMs = runtime.monotonicMs();
      if (typeof data === "string") options.text(data);
    };
    opening.onerror = (event) => {
      failure = describe(event, path);
    };
    opening.onclose = ({ code, reason }) =>
      over(failure ?? (reason === "" ? `closed with ${code}` : `closed with ${code}, ${reason}`), {
        code,
        reason,
      });
  };

  let giveUp = (_why: string): void => undefined;
  const stopWatch = runtime.every(WATCH_INTERVAL_MS, () => {
    const silentMs = runtime.monotonicMs() - lastHeardMs;
    if (isOpen && !isPaused && silentMs > options.silenceLimitMs())
      giveUp(`nothing came for ${Math.round(silentMs)} ms`);
  });
  connect();

  return {
    ended,
    send(text) {
      if (!isOpen || socket === undefined) return false;
      socket.send(text);
      return true;
    },
    isOpen: () => isOpen,
    unsentBytes: () => (isOpen ? (socket?.bufferedAmount ?? 0) : 0),
    pause() {
      isPaused = true;
      if (isOpen) socket?.pause();
    },
    resume() {
      isPaused = false;
      lastHeardMs = runtime.monotonicMs();
      if (isOpen) socket?.resume();
    },
    comeBackAfter(delayMs) {
      announcedDelayMs = delayMs;
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      if (!isOpen) {
        finish({ code: "stopped" });
        return;
      }
      socket?.close(1000);
      runtime.after(CLOSING_LIMIT_MS, () => finish({ code: "stopped" }));
    },
  };
}

/** Bun's messages hold the address, whose query may hold a filter or more: only what stands behind it is kept. */
function describe({ message, error }: ErrorEvent, path: string): string {
  const [, reason = message] = /failed: (.*)$/s.exec(message) ?? [];
  const status = /^Expected 101 status code: (\d{3})/.exec(reason)?.[1];
  if (status !== undefined) return handshakeTrouble(Number(status), path);
  const code: unknown = error?.code;
  return whyAndRepair(troubleOf({ code: typeof code === "string" ? code : undefined, message: reason }));
}
