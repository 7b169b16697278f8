import { parseHead } from "./http.ts";
import { createQueue } from "./queue.ts";

/** What the hub asked of the service at CLIENT_AUTH_URL. */
export interface Question {
  readonly method: string;
  /** Path and query, as they were sent. */
  readonly target: string;
  readonly headers: Headers;
  /** Resolves when the hub has ended the connection. */
  readonly ended: Promise<void>;
}

/** Writes the answer, byte for byte, or leaves it out; `end` closes the connection. */
export type Reply = (write: (bytes: string) => void, end: () => void, question: Question) => void;

/** A stand-in for the service at CLIENT_AUTH_URL: a server that answers as the test says, and badly if need be. */
export interface AuthEndpoint extends AsyncDisposable {
  readonly url: string;
  /** Decides the answers from now on. */
  reply: Reply;
  /** The oldest question that the test has not seen yet. */
  asked(): Promise<Question>;
  /** How many questions have come so far. */
  count(): number;
}

/** An answer of this status without a body. */
export function status(code: number, headers = ""): Reply {
  return (write) => write(`HTTP/1.1 ${code} As Told\r\n${headers}content-length: 0\r\n\r\n`);
}

/** A redirect; `location` may be a function, because the endpoint's own address is known late. */
export function redirect(code: number, location: () => string): Reply {
  return (write, end, question) => status(code, `location: ${location()}\r\n`)(write, end, question);
}

/** Takes the question and never answers. */
export const hang: Reply = () => undefined;

/** Closes the connection in place of an answer. */
export const hangUp: Reply = (_, end) => end();

/** An answer whose body is a megabyte. */
export function megabyte(code: number): Reply {
  const body = "x".repeat(1_048_576);
  return (write) => write(`HTTP/1.1 ${code} As Told\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}

export function startAuthEndpoint(reply: Reply = status(204)): AuthEndpoint {
  const questions = createQueue<Question>();
  let count = 0;
  interface Peer {
    held: Buffer;
    unsent: Buffer;
    readonly ended: PromiseWithResolvers<void>;
  }
  const server = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = {
          held: Buffer.alloc(0),
          unsent: Buffer.alloc(0),
          ended: Promise.withResolvers<void>(),
        };
      },
      data(socket, bytes) {
        const { data } = socket;
        data.held = Buffer.concat([data.held, bytes]);
        for (let head = parseHead(data.held); head !== undefined; head = parseHead(data.held)) {
          const [method = "", target = ""] = data.held.toString("latin1").split(" ", 2);
          data.held = data.held.subarray(head.size);
          const question: Question = { method, target, headers: head.headers, ended: data.ended.promise };
          count += 1;
          questions.push(question);
          endpoint.reply(
            (text) => send(socket, Buffer.from(text)),
            () => void socket.end(),
            question,
          );
        }
      },
      drain: (socket) => send(socket, Buffer.alloc(0)),
      close: ({ data }) => data.ended.resolve(),
      error: ({ data }) => data.ended.resolve(),
    },
  });

  function send(socket: Bun.Socket<Peer>, bytes: Buffer): void {
    const all = Buffer.concat([socket.data.unsent, bytes]);
    socket.data.unsent = all.subarray(Math.max(0, socket.write(all)));
  }

  const endpoint: AuthEndpoint = {
    url: `http://127.0.0.1:${server.port}/may-enter?tenant=7`,
    reply,
    asked: () => questions.next("question to the authentication service"),
    count: () => count,
    async [Symbol.asyncDispose]() {
      server.stop(true);
      await Promise.resolve();
    },
  };
  return endpoint;
}
