import { afterEach, expect, test } from "bun:test";
import { type Credentials, createForwardAuth } from "../../../src/auth/forward.ts";
import { createSecretCheck } from "../../../src/auth/secret.ts";
import { DEADLINE_MS, within } from "../../support/deadline.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";

/** Forward-auth against a real endpoint: what only Bun's fetch and a socket can show. */

const SECRET = "7f3a9c52e8d14b06a1f5c3e97b20d8461";
const TIMEOUT_MS = 3_000;
const USER: Credentials = {
  cookie: "session=1",
  authorization: null,
  token: "abc",
  address: "192.0.2.1",
  path: "/ws",
};

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Peer {
  /** Writes until it is told to stop by a full buffer; returns what was taken. */
  write(text: string): number;
  end(): void;
  readonly drained: () => Promise<void>;
}

/** A server that writes what it likes in answer to a request's head. */
function endpoint(answer: (peer: Peer, head: string) => void) {
  const heads: string[] = [];
  const request = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  let drained = Promise.withResolvers<void>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        const head = bytes.toString("latin1");
        heads.push(head);
        request.resolve();
        answer(
          {
            write: (text) => socket.write(text),
            end: () => void socket.end(),
            drained: () => {
              drained = Promise.withResolvers();
              return drained.promise;
            },
          },
          head,
        );
      },
      drain: () => drained.resolve(),
      close: () => closed.resolve(),
      error: () => closed.resolve(),
    },
  });
  stops.push(() => server.stop(true));
  return {
    heads,
    url: `http://127.0.0.1:${server.port}/auth`,
    requested: () => within(request.promise, "request"),
    closed: () => within(closed.promise, "end of the connection"),
  };
}

/** What is cut off at a full buffer is no matter: nobody may read it. Ends with the connection, which never drains then. */
async function writeForEver(peer: Peer, text: string): Promise<never> {
  while (true) {
    while (peer.write(text) === text.length);
    await peer.drained();
  }
}

function authAt(url: string) {
  const runtime = createFakeRuntime();
  // Kept, because the collector ends the connection of a response that nobody holds.
  const responses: Response[] = [];
  return {
    runtime,
    responses,
    auth: createForwardAuth({
      url,
      timeoutMs: TIMEOUT_MS,
      cacheMs: 0,
      checkSecret: createSecretCheck([SECRET]),
      runtime,
      async fetch(asked, init) {
        const response = await fetch(asked, init);
        responses.push(response);
        return response;
      },
    }),
  };
}

test(
  "sends the client's credentials, byte for byte",
  async () => {
    const { url, heads } = endpoint((peer) => peer.write("HTTP/1.1 204 No Content\r\n\r\n"));
    const { auth } = authAt(url);
    const authorization = "Custom \xe9\xff";
    expect(await auth.check({ ...USER, cookie: "a=\xc3\xa9", authorization })).toMatchObject({
      code: "allowed",
    });
    const [head = ""] = heads;
    expect(head).toStartWith("GET /auth HTTP/1.1\r\n");
    expect(head).toMatch(/\r\ncookie: a=\xc3\xa9\r\n/i);
    expect(head).toMatch(/\r\nauthorization: Custom \xe9\xff\r\n/i);
    expect(head).toMatch(/\r\nx-forwarded-for: 192\.0\.2\.1\r\n/i);
    expect(head).toMatch(/\r\nx-forwarded-uri: \/ws\r\n/i);
  },
  2 * DEADLINE_MS,
);

test(
  "follows no redirect",
  async () => {
    const { url, heads } = endpoint((peer, head) =>
      peer.write(
        head.startsWith("GET /auth ")
          ? "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"
          : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      ),
    );
    expect(await authAt(url).auth.check(USER)).toEqual({ code: "refused", why: "status 302" });
    expect(heads).toHaveLength(1);
  },
  2 * DEADLINE_MS,
);

test(
  "does not wait for a body, and ends the connection of one that goes on",
  async () => {
    const { url, closed } = endpoint((peer) => {
      peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      void writeForEver(peer, `10000\r\n${"x".repeat(65_536)}\r\n`);
    });
    const { auth, responses } = authAt(url);
    expect(await within(auth.check(USER), "verdict")).toMatchObject({ code: "allowed" });
    expect(auth.stats().running).toBe(0);
    await closed();
    expect(responses).toHaveLength(1);
  },
  2 * DEADLINE_MS,
);

test(
  "a body that is announced and never comes holds up nothing",
  async () => {
    const { url, closed } = endpoint((peer) =>
      peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 1048576\r\n\r\n"),
    );
    const { auth, responses } = authAt(url);
    expect(await within(auth.check(USER), "verdict")).toMatchObject({ code: "refused" });
    await closed();
    expect(responses).toHaveLength(1);
  },
  2 * DEADLINE_MS,
);

test.each([
  ["a header", "", "z".repeat(65_536)],
  ["a list of headers", "1\r\n", `X-More: ${"z".repeat(4_000)}\r\n`],
])(
  "%s without end is given up",
  async (_, start, text) => {
    const { url, closed } = endpoint((peer) => {
      peer.write(`HTTP/1.1 200 OK\r\nX-First: ${start}`);
      void writeForEver(peer, text);
    });
    expect(await within(authAt(url).auth.check(USER), "verdict")).toMatchObject({ code: "unavailable" });
    await closed();
  },
  2 * DEADLINE_MS,
);

test.each([
  ["nothing", ""],
  ["half a head", "HTTP/1.1 200 OK\r\nContent-Le"],
])(
  "an endpoint that sends %s and hangs is given up in time, and its connection ended",
  async (_, text) => {
    const { url, requested, closed } = endpoint((peer) => void peer.write(text));
    const { auth, runtime } = authAt(url);
    const verdict = auth.check(USER);
    await requested();
    runtime.advance(TIMEOUT_MS);
    expect(await within(verdict, "verdict")).toEqual({ code: "unavailable", why: "no answer in time" });
    await closed();
  },
  2 * DEADLINE_MS,
);

test(
  "a client that leaves ends the request",
  async () => {
    const { url, requested, closed } = endpoint(() => undefined);
    const gone = new AbortController();
    const verdict = authAt(url).auth.check(USER, gone.signal);
    await requested();
    gone.abort();
    expect(await within(verdict, "verdict")).toMatchObject({ code: "unavailable", why: "client gone" });
    await closed();
  },
  2 * DEADLINE_MS,
);

test.each([
  ["hangs up", ""],
  ["changes the protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"],
  ["answers with an error", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"],
])(
  "an endpoint that %s is unavailable",
  async (_, text) => {
    const { url } = endpoint((peer) => {
      if (text !== "") peer.write(text);
      peer.end();
    });
    expect(await within(authAt(url).auth.check(USER), "verdict")).toMatchObject({ code: "unavailable" });
  },
  2 * DEADLINE_MS,
);

test(
  "an endpoint that is not there is unavailable",
  async () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const { port } = server;
    server.stop(true);
    const { auth } = authAt(`http://127.0.0.1:${port}/auth`);
    expect(await within(auth.check(USER), "verdict")).toMatchObject({ code: "unavailable" });
  },
  2 * DEADLINE_MS,
);
