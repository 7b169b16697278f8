import { CLOSE } from "../protocol/close.ts";
import { STREAM_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import type { Ended, Session, Sink } from "./transport.ts";

/** What the client needs of a WebSocket: less than every implementation has. */
export interface WebSocketLike {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** Bun's WebSocket can also do this. */
interface Extras {
  terminate?: () => void;
  pause?: () => void;
  resume?: () => void;
}

/** In Bun and Node the second argument may also be an object, with which request headers can be sent. */
export type WebSocketConstructor = new (
  url: string,
  // biome-ignore lint/suspicious/noExplicitAny: browsers, Bun and Node declare different types here
  protocols?: any,
) => WebSocketLike;

export interface WebSocketRequest {
  readonly WebSocket: WebSocketConstructor;
  readonly url: string;
  /** Only for runtimes whose WebSocket takes them; undefined: it is made as in a browser. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Codes after which the peer should not come back, or not before something has been mended (PROTOCOL.md, section 1). */
const FINAL_CODES: ReadonlySet<number> = new Set(
  Object.values(CLOSE)
    .filter(({ comeBack }) => comeBack !== "after a random delay")
    .map(({ code }) => code),
);
const OPEN = 1;

/** Opens a WebSocket with stream framing (PROTOCOL.md, section 3). What the constructor throws ends the try as well. */
export function openWebSocket({ WebSocket, url, headers }: WebSocketRequest, sink: Sink): Session {
  let isOver = false;
  let isOpen = false;
  let cause: unknown;
  const end = (ended: Ended): void => {
    if (isOver) return;
    isOver = true;
    sink.ended(ended);
  };
  const socket = ((): (WebSocketLike & Extras) | undefined => {
    const protocols = [STREAM_SUBPROTOCOL];
    try {
      return new WebSocket(url, headers === undefined ? protocols : { protocols, headers });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const ended = { code: 1006, reason, isFinal: false, retryAfterMs: undefined, cause: error };
      queueMicrotask(() => end(ended));
      return undefined;
    }
  })();
  if (socket !== undefined) {
    socket.onmessage = ({ data }: { readonly data: unknown }) => {
      if (isOver) return;
      if (typeof data === "string") sink.frame(data);
      else sink.heard();
    };
    socket.onopen = () => {
      isOpen = true;
    };
    socket.onerror = (event: unknown) => {
      cause = event;
      // Node's WebSocket may leave it at that where the handshake has failed; others would close with 1006 now.
      if (!isOpen) end({ code: 1006, reason: "", isFinal: false, retryAfterMs: undefined, cause });
    };
    socket.onclose = ({ code, reason, wasClean }: CloseLike) =>
      // A code that this side has made up, because a frame was damaged on the way, is not the hub's word.
      end({ code, reason, isFinal: wasClean && FINAL_CODES.has(code), retryAfterMs: undefined, cause });
  }
  return {
    transport: "websocket",
    send(text) {
      if (isOver || socket === undefined || socket.readyState !== OPEN) return false;
      socket.send(text);
      return true;
    },
    unsentBytes: () => socket?.bufferedAmount ?? 0,
    pause() {
      if (isOver || socket?.pause === undefined) return false;
      socket.pause();
      return true;
    },
    resume: () => socket?.resume?.(),
    end(how) {
      isOver = true;
      if (how === "at once" && socket?.terminate !== undefined) socket.terminate();
      else socket?.close(1000);
    },
  };
}

interface CloseLike {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}
