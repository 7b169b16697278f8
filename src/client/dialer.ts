import type { Address } from "./address.ts";
import { type Choice, createChoice, onlyChoice } from "./choice.ts";
import { readFrame } from "./frame.ts";
import type { ConnectOptions } from "./options.ts";
import type { Cancel, ClientRuntime } from "./runtime.ts";
import { type FetchLike, openSse } from "./sse.ts";
import type { Session, Sink, TransportName } from "./transport.ts";
import { openWebSocket, type WebSocketConstructor } from "./websocket.ts";

type Query = Readonly<Record<string, string | undefined>>;

/** Makes the tries of one connection, over the transport whose turn it is. */
export interface Dialer {
  readonly transport: TransportName;
  dial(query: Query, sink: Sink): Session;
  /** The try has succeeded. Over SSE it is now tried whether a WebSocket can be had. */
  opened(): void;
  ended(wasOpen: boolean): void;
  stop(): void;
}

/** How often, while the stream comes over SSE, a WebSocket is tried beside it; first at once. */
const WEBSOCKET_AGAIN_MS = 300_000;

/**
 * @param hasWebSocket a WebSocket beside the SSE stream has been greeted by the hub, and closed again: it can be used
 * @throws TypeError where the runtime has neither, or not the one that is asked for
 */
export function createDialer(
  options: Pick<ConnectOptions, "transport" | "WebSocket" | "fetch" | "headers" | "credentials">,
  address: Address,
  runtime: ClientRuntime,
  openTimeoutMs: number,
  hasWebSocket: () => void,
): Dialer {
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
  const fetch = options.fetch ?? (globalThis.fetch?.bind(globalThis) as FetchLike | undefined);
  const choice = choose(options.transport ?? "auto", WebSocket !== undefined, fetch !== undefined);
  let transport: TransportName = choice.next();
  let cancelProbe: Cancel = () => undefined;

  const overWebSocket = (query: Query, sink: Sink): Session =>
    openWebSocket(
      {
        WebSocket: WebSocket as WebSocketConstructor,
        url: address.webSocket(query),
        headers: options.headers,
      },
      sink,
    );
  const overSse = (query: Query, sink: Sink): Session =>
    openSse(
      {
        fetch: fetch as FetchLike,
        url: address.events(query),
        headers: options.headers ?? {},
        credentials: options.credentials ?? "same-origin",
      },
      sink,
    );

  /** Its own connection, so that the stream over SSE goes on until a WebSocket is known to work. */
  const probe = (): void => {
    const again = (): void => {
      session.end("at once");
      cancelProbe();
      cancelProbe = runtime.after(WEBSOCKET_AGAIN_MS, probe);
    };
    const session = overWebSocket(
      {},
      {
        heard: () => undefined,
        ended: again,
        frame(text) {
          if (readFrame(text).type !== "hello") return;
          cancelProbe();
          session.end("gracefully");
          choice.opened("websocket");
          hasWebSocket();
        },
      },
    );
    const cancelTimeout = runtime.after(openTimeoutMs, again);
    cancelProbe = () => {
      cancelTimeout();
      session.end("at once");
    };
  };

  return {
    get transport() {
      return transport;
    },
    dial(query, sink) {
      transport = choice.next();
      return transport === "sse" ? overSse(query, sink) : overWebSocket(query, sink);
    },
    opened() {
      choice.opened(transport);
      cancelProbe();
      if (transport === "sse" && choice.canChange && WebSocket !== undefined) probe();
    },
    ended(wasOpen) {
      cancelProbe();
      if (!wasOpen) choice.failed(transport);
    },
    stop: () => cancelProbe(),
  };
}

function choose(wanted: "auto" | TransportName, hasWebSocket: boolean, hasFetch: boolean): Choice {
  const missing = (what: string): never => {
    throw new TypeError(`this runtime has no ${what}: give one in the options`);
  };
  if (wanted === "websocket" || (wanted === "auto" && !hasFetch))
    return hasWebSocket ? onlyChoice("websocket") : missing("WebSocket");
  if (wanted === "sse" || !hasWebSocket) return hasFetch ? onlyChoice("sse") : missing("fetch");
  return createChoice();
}
