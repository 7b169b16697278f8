import type { Ended, LineInfo } from "../client/index.ts";
import { STREAM_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import { USER_AGENT } from "./call.ts";
import type { Target } from "./target.ts";
import { EXIT, printable, type Terminal } from "./terminal.ts";
import { handshakeTrouble, troubleOf, whyAndRepair } from "./trouble.ts";

/** How the command line's connections come back: sooner than a dashboard's, because somebody sits before it. */
export const CLI_BACKOFF = { firstMs: 500, limitMs: 10_000, stableMs: 10_000 };

/** The address that the client library is given: only its path and query count, see `hubSocket`. */
export function hubAddress(path: string): string {
  return `ws://hub${path}`;
}

/** @returns the WebSocket with which the client library reaches a target: a unix socket, or a certificate of the hub's own, too */
export function hubSocket(
  target: Target,
  headers: Readonly<Record<string, string>>,
): new (
  url: string,
) => WebSocket {
  return class extends WebSocket {
    constructor(address: string) {
      const { pathname, search } = new URL(address);
      const { url, options } = target.webSocket(`${pathname}${search}`);
      super(url, {
        ...options,
        protocols: [STREAM_SUBPROTOCOL],
        headers: { ...headers, "user-agent": USER_AGENT },
        perMessageDeflate: false,
      });
    }
  };
}

export interface WatchOptions {
  readonly target: Target;
  /** The path that is asked for, for error messages. */
  readonly path: string;
  readonly say: Terminal["say"];
  readonly opened: () => void;
  /** Ends the connection: a wrong address must not be tried for ever. */
  readonly close: () => void;
}

/** Tells of a connection's life, on standard error where it goes wrong. */
export interface Watch {
  /** Takes every change of the state. */
  take(info: LineInfo): void;
  /** Says how it ended, once it is over. @returns the exit code */
  conclude(info: LineInfo): number;
}

export function createWatch({ target, path, say, opened, close }: WatchOptions): Watch {
  let wasEverOpen = false;
  let isOpen = false;
  let exitCode: number = EXIT.done;
  return {
    take(info) {
      if (info.state === "open") {
        wasEverOpen = true;
        isOpen = true;
        opened();
      } else if (info.state === "waiting" && info.lastEnd !== undefined) {
        const why = whyOf(info.lastEnd, path);
        if (isOpen) say(`connection lost (${printable(why)}): trying again`);
        isOpen = false;
        if (wasEverOpen) return;
        say(`${target.shown} cannot be reached: ${why}`);
        exitCode = EXIT.failed;
        close();
      }
    },
    conclude({ lastEnd }) {
      if (lastEnd?.isFinal !== true) return exitCode;
      say(`${target.shown} ended the connection for good: ${lastEnd.code} ${printable(lastEnd.reason)}`);
      return EXIT.failed;
    },
  };
}

function whyOf({ code, reason, cause }: Ended, path: string): string {
  if (cause instanceof ErrorEvent) return describe(cause, path);
  if (reason === "") return `closed with ${code}`;
  return code === 1006 ? reason : `closed with ${code}, ${reason}`;
}

/** Bun's messages hold the address, whose query may hold a filter or more: only what stands behind it is kept. */
function describe({ message, error }: ErrorEvent, path: string): string {
  const [, reason = message] = /failed: (.*)$/s.exec(message) ?? [];
  const status = /^Expected 101 status code: (\d{3})/.exec(reason)?.[1];
  if (status !== undefined) return handshakeTrouble(Number(status), path);
  const code: unknown = error?.code;
  return whyAndRepair(troubleOf({ code: typeof code === "string" ? code : undefined, message: reason }));
}
