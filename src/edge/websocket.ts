import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { Config } from "../config/schema.ts";
import { COMMAND_LIMIT_BYTES } from "../hub/commands.ts";
import type { Connection, SocketEvents } from "../hub/connection.ts";
import type { Log } from "../observe/log.ts";
import { CLOSE } from "../protocol/close.ts";

/** Bun's WebSocket callbacks, handed to the hub. The runtime's own types stay in this folder. */
export function websocketHandlers(config: Config, log: Log, hub: SocketEvents): WebSocketHandler<Connection> {
  const guarded = (socket: ServerWebSocket<Connection>, run: () => void): void => {
    try {
      run();
    } catch (error) {
      log.error?.("FAIL", "websocket_endpoint", "Unexpected error", {
        conn_id: socket.data.connId,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      socket.data.retired = true;
      socket.close(CLOSE.fault.code, CLOSE.fault.reason);
    }
  };
  return {
    maxPayloadLength: config.MAX_MESSAGE_BYTES,
    // The slow-consumer check closes with a code well before; this is the backstop for what one turn can add. Without
    // closing, Bun would drop messages silently and leave a hole in the stream.
    backpressureLimit:
      2 * config.SLOW_CONSUMER_BYTES + Math.max(config.MAX_MESSAGE_BYTES, COMMAND_LIMIT_BYTES),
    closeOnBackpressureLimit: true,
    // The hub has its own heartbeat (PROTOCOL.md, section 6).
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open: (socket) => guarded(socket, () => hub.open(socket)),
    message: (socket, message) =>
      guarded(socket, () => (typeof message === "string" ? hub.text(socket, message) : hub.binary(socket))),
    ping: (socket) => hub.seen(socket),
    pong: (socket, payload) => guarded(socket, () => hub.pong(socket, payload.toString("latin1"))),
    drain: (socket) => guarded(socket, () => hub.drained(socket)),
    close: (socket, code) => guarded(socket, () => hub.closed(socket, code)),
  };
}
