import { type Connection, openConnection } from "./connection.ts";
import {
  clientFrame,
  createFrameReader,
  type FrameHandler,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
} from "./frames.ts";

export interface WebSocketOptions {
  url: URL;
  headers: Readonly<Record<string, string>>;
  /** Gets every frame but pings, which are answered here. */
  onFrame: FrameHandler;
  /** After each chunk that was read: the frames of one chunk arrive in one turn. */
  onChunkEnd: () => void;
  /** The connection is gone, or what it carried is not what a server may send. Not called after `end()`. */
  onFailure: (error: Error) => void;
}

/** Shakes hands as a WebSocket client (RFC 6455 section 4.1) and resolves once the server has answered 101. */
export async function connectWebSocket(options: WebSocketOptions): Promise<Connection> {
  const readFrames = createFrameReader((opcode, bytes, start, end) => {
    if (opcode === OPCODE_PING) connection?.write(clientFrame(OPCODE_PONG, bytes.subarray(start, end)));
    else if (opcode === OPCODE_CLOSE) throw new Error(describeClose(bytes, start, end));
    else options.onFrame(opcode, bytes, start, end);
  });
  // Missing only while the handshake's answer is read, and the first ping comes long after.
  let connection: Connection | undefined;
  connection = await openConnection({
    url: options.url,
    status: 101,
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": crypto.getRandomValues(Buffer.alloc(16)).toString("base64"),
      ...options.headers,
    },
    onChunk(chunk) {
      readFrames(chunk);
      options.onChunkEnd();
    },
    onFailure: options.onFailure,
  });
  return connection;
}

function describeClose(bytes: Uint8Array, start: number, end: number): string {
  if (end - start < 2) return "the server closed the connection without a code";
  const code = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
  return `the server closed the connection with ${code} ${Buffer.from(bytes.subarray(start + 2, end)).toString()}`;
}
