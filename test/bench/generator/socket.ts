import type { Socket } from "bun";
import {
  clientFrame,
  createFrameReader,
  type FrameHandler,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
} from "./frames.ts";

/** A WebSocket client on a plain TCP socket, with nothing between the receive buffer and the counter. */
export interface RawSocket {
  /** Sends the bytes now, or as soon as the kernel takes them. The caller may reuse the buffer. */
  write(bytes: Uint8Array): void;
  end(): void;
}

export interface RawSocketOptions {
  url: URL;
  headers: Readonly<Record<string, string>>;
  /** Gets every frame but pings, which are answered here. */
  onFrame: FrameHandler;
  /** After each chunk that was read: the frames of one chunk arrive in one turn. */
  onChunkEnd: () => void;
  /** The connection is gone, or what it carried is not what a server may send. Not called after `end()`. */
  onFailure: (error: Error) => void;
}

interface Connection {
  read(chunk: Uint8Array): void;
  drain(socket: Socket<Connection>): void;
  fail(error: Error): void;
}

const HANDSHAKE_LIMIT_BYTES = 16_384;

// One set of handlers for all sockets: what differs between them is in `socket.data`.
const handlers = {
  data(socket: Socket<Connection>, chunk: Buffer) {
    try {
      socket.data.read(chunk);
    } catch (error) {
      socket.data.fail(error as Error);
      socket.terminate();
    }
  },
  drain(socket: Socket<Connection>) {
    socket.data.drain(socket);
  },
  close(socket: Socket<Connection>) {
    socket.data.fail(new Error("the server closed the connection"));
  },
  error(socket: Socket<Connection>, error: Error) {
    socket.data.fail(error);
  },
};

/** Connects, shakes hands (RFC 6455 section 4.1) and resolves once the server has answered 101. */
export async function connectRawSocket(options: RawSocketOptions): Promise<RawSocket> {
  const opened = Promise.withResolvers<void>();
  let ended = false;
  let open = false;
  let unsent: Uint8Array[] = [];

  const readFrames = createFrameReader((opcode, bytes, start, end) => {
    if (opcode === OPCODE_PING) write(clientFrame(OPCODE_PONG, bytes.subarray(start, end)));
    else if (opcode === OPCODE_CLOSE) throw new Error(describeClose(bytes, start, end));
    else options.onFrame(opcode, bytes, start, end);
  });

  const connection: Connection = {
    read: createHandshakeReader((rest) => {
      open = true;
      connection.read = (chunk) => {
        readFrames(chunk);
        options.onChunkEnd();
      };
      opened.resolve();
      if (rest.length > 0) connection.read(rest);
    }),
    drain() {
      const waiting = unsent;
      unsent = [];
      for (const bytes of waiting) write(bytes);
    },
    fail(error) {
      if (ended) return;
      ended = true;
      if (open) options.onFailure(error);
      else opened.reject(error);
    },
  };

  const socket = await Bun.connect<Connection>({
    hostname: options.url.hostname,
    port: Number(options.url.port),
    data: connection,
    socket: handlers,
  });

  function write(bytes: Uint8Array): void {
    const taken = unsent.length > 0 ? 0 : Math.max(socket.write(bytes), 0);
    if (taken < bytes.length) unsent.push(new Uint8Array(bytes.subarray(taken)));
  }

  write(handshake(options.url, options.headers));
  await opened.promise;
  return {
    write,
    end() {
      ended = true;
      socket.end();
    },
  };
}

function handshake(url: URL, headers: Readonly<Record<string, string>>): Uint8Array {
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${crypto.getRandomValues(Buffer.alloc(16)).toString("base64")}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Collects the response's head, and hands what came behind it to `onAccepted`. Throws unless the answer is 101. */
function createHandshakeReader(onAccepted: (rest: Uint8Array) => void): (chunk: Uint8Array) => void {
  let received = Buffer.alloc(0);
  return (chunk) => {
    received = Buffer.concat([received, chunk]);
    const headEnd = received.indexOf("\r\n\r\n");
    if (headEnd < 0) {
      if (received.length > HANDSHAKE_LIMIT_BYTES) throw new Error("the handshake's answer never ends");
      return;
    }
    const statusLine = received.toString("latin1", 0, received.indexOf("\r\n"));
    if (!statusLine.startsWith("HTTP/1.1 101")) throw new Error(`the handshake was refused: ${statusLine}`);
    onAccepted(received.subarray(headEnd + 4));
  };
}

function describeClose(bytes: Uint8Array, start: number, end: number): string {
  if (end - start < 2) return "the server closed the connection without a code";
  const code = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
  return `the server closed the connection with ${code} ${Buffer.from(bytes.subarray(start + 2, end)).toString()}`;
}
