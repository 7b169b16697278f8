import type { Socket } from "bun";

/** A connection on a plain TCP socket, with nothing between the receive buffer and the counter. */
export interface Connection {
  /** Sends the bytes now, or as soon as the kernel takes them. The caller may reuse the buffer. */
  write(bytes: Uint8Array): void;
  end(): void;
}

export interface ConnectionOptions {
  url: URL;
  /** Header lines of the GET request that opens it. */
  headers: Readonly<Record<string, string>>;
  /** The status that the server must answer with. */
  status: 101 | 200;
  /** Gets the response's head. May throw. */
  onHead?: (head: string) => void;
  /** Gets what comes behind the head, read by read. May throw. */
  onChunk: (chunk: Uint8Array) => void;
  /** The connection is gone, or what it carried made a handler throw. Not called after `end()`. */
  onFailure: (error: Error) => void;
}

export interface SocketOptions {
  url: URL;
  /** Gets what was read, read by read. May throw. */
  onChunk: (chunk: Uint8Array) => void;
  /** The connection is gone, or `onChunk` has thrown. Not called after `end()`. */
  onFailure: (error: Error) => void;
}

interface State {
  read(chunk: Uint8Array): void;
  drain(): void;
  fail(error: Error): void;
}

const HEAD_LIMIT_BYTES = 16_384;

// One set of handlers for all sockets: what differs between them is in `socket.data`.
const handlers = {
  data(socket: Socket<State>, chunk: Buffer) {
    try {
      socket.data.read(chunk);
    } catch (error) {
      socket.data.fail(error as Error);
      socket.terminate();
    }
  },
  drain(socket: Socket<State>) {
    socket.data.drain();
  },
  close(socket: Socket<State>) {
    socket.data.fail(new Error("the server closed the connection"));
  },
  error(socket: Socket<State>, error: Error) {
    socket.data.fail(error);
  },
};

/** Connects a socket on which the caller speaks the protocol. */
export async function openSocket(options: SocketOptions): Promise<Connection> {
  let ended = false;
  let unsent: Uint8Array[] = [];

  const socket = await Bun.connect<State>({
    hostname: options.url.hostname,
    port: Number(options.url.port),
    data: {
      read: options.onChunk,
      drain() {
        const waiting = unsent;
        unsent = [];
        for (const bytes of waiting) write(bytes);
      },
      fail(error) {
        if (ended) return;
        ended = true;
        options.onFailure(error);
      },
    },
    socket: handlers,
  });

  function write(bytes: Uint8Array): void {
    const taken = unsent.length > 0 ? 0 : Math.max(socket.write(bytes), 0);
    if (taken < bytes.length) unsent.push(new Uint8Array(bytes.subarray(taken)));
  }

  return {
    write,
    end() {
      ended = true;
      socket.end();
    },
  };
}

/** Connects, sends a GET request and resolves once the server has answered with the status that was expected. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const opened = Promise.withResolvers<void>();
  let fail = opened.reject as (error: Error) => void;
  let read = createHeadReader(options.status, (head, rest) => {
    options.onHead?.(head);
    fail = options.onFailure;
    read = options.onChunk;
    opened.resolve();
    if (rest.length > 0) options.onChunk(rest);
  });
  const connection = await openSocket({
    url: options.url,
    onChunk: (chunk) => read(chunk),
    onFailure: (error) => fail(error),
  });
  connection.write(request(options.url, options.headers));
  await opened.promise;
  return connection;
}

function request(url: URL, headers: Readonly<Record<string, string>>): Uint8Array {
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Collects the response's head, and hands it and what came behind it on. Throws on another status. */
function createHeadReader(
  status: number,
  onHead: (head: string, rest: Uint8Array) => void,
): (chunk: Uint8Array) => void {
  let received = Buffer.alloc(0);
  return (chunk) => {
    received = Buffer.concat([received, chunk]);
    const headEnd = received.indexOf("\r\n\r\n");
    if (headEnd < 0) {
      if (received.length > HEAD_LIMIT_BYTES) throw new Error("the head of the answer never ends");
      return;
    }
    const head = received.toString("latin1", 0, headEnd);
    const [statusLine] = head.split("\r\n", 1);
    if (!statusLine?.startsWith(`HTTP/1.1 ${status}`)) throw new Error(`the server refused: ${statusLine}`);
    onHead(head, received.subarray(headEnd + 4));
  };
}
