import type { ClientRuntime } from "../../../src/client/runtime.ts";
import type { WebSocketConstructor } from "../../../src/client/websocket.ts";
import { createFakeRuntime, type FakeRuntime } from "../../support/fake-runtime.ts";

/** A world whose time passes, and whose page wakes, only when the test says so. */
export interface World extends ClientRuntime, Pick<FakeRuntime, "advance" | "timerCount"> {
  wake(): void;
  readonly reported: readonly unknown[];
}

export function createWorld(seed = 1): World {
  const runtime = createFakeRuntime(seed);
  const sleepers = new Set<() => void>();
  const reported: unknown[] = [];
  return {
    ...runtime,
    reported,
    onWake(run) {
      sleepers.add(run);
      return () => sleepers.delete(run);
    },
    wake() {
      for (const run of [...sleepers]) run();
    },
    report: (error) => void reported.push(error),
  };
}

/** The hub's side of a WebSocket that never was. */
export interface FakeSocket {
  readonly url: string;
  readonly options: unknown;
  /** What the client has sent. */
  readonly sent: string[];
  isClosed: boolean;
  open(): void;
  /** The hub says this. */
  say(frame: object | string): void;
  close(code: number, reason?: string): void;
}

export interface FakeNet {
  readonly WebSocket: WebSocketConstructor;
  /** Every socket that was made, in order. */
  readonly sockets: readonly FakeSocket[];
  last(): FakeSocket;
}

export function createNet(): FakeNet {
  const sockets: FakeSocket[] = [];
  class FakeWebSocket {
    onopen: ((event: never) => unknown) | null = null;
    onmessage: ((event: never) => unknown) | null = null;
    onerror: ((event: never) => unknown) | null = null;
    onclose: ((event: never) => unknown) | null = null;
    readyState = 0;
    readonly bufferedAmount = 0;
    readonly #peer: FakeSocket;
    constructor(url: string, options: unknown) {
      const call = (handler: ((event: never) => unknown) | null, event: object): void =>
        void handler?.(event as never);
      this.#peer = {
        url,
        options,
        sent: [],
        isClosed: false,
        open: () => {
          this.readyState = 1;
          call(this.onopen, {});
        },
        say: (frame) =>
          call(this.onmessage, { data: typeof frame === "string" ? frame : JSON.stringify(frame) }),
        close: (code, reason = "") => {
          this.readyState = 3;
          call(this.onclose, { code, reason, wasClean: code !== 1006 });
        },
      };
      sockets.push(this.#peer);
    }
    send(text: string): void {
      this.#peer.sent.push(text);
    }
    close(): void {
      this.readyState = 3;
      this.#peer.isClosed = true;
    }
  }
  return {
    WebSocket: FakeWebSocket,
    sockets,
    last() {
      const socket = sockets.at(-1);
      if (socket === undefined) throw new Error("no WebSocket has been made");
      return socket;
    },
  };
}

export const OFFLINE = { status: "offline", metadata: null };

export function hello(cursor: string, resumed: true | "none" | "evicted" | "unknown"): object {
  const outcome = resumed === true ? { resumed } : { resumed: false, reason: resumed };
  return { type: "hello", conn_id: "00000000", cursor, ...outcome, heartbeat_ms: 10_000, worker: OFFLINE };
}
