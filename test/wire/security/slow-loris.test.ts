import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { call, publish } from "../../support/api.ts";
import { startAuthEndpoint, status } from "../../support/auth-endpoint.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { joinLive } from "../../support/streamclient.ts";
import { connectTcp } from "../../support/tcp.ts";

// Connections that begin a request and never finish it: they keep nobody out, and they are ended.

const HEAD = "GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n";
const BODY = "POST /api/v1/publish HTTP/1.1\r\nHost: hub\r\ncontent-type: application/json\r\n";

/** What those who show no secret may begin; a backend gets two minutes for its body. */
const BEGINNINGS: Record<string, string> = {
  "one letter": "G",
  "a request line without end": "GET /ws?",
  "half a handshake": HEAD,
  "a header without end": `${HEAD}Sec-WebSocket-Key: `,
  "a body that does not come": `${BODY}content-length: 100\r\n\r\n`,
  "half a body": `${BODY}content-length: 100\r\n\r\n{"type":"A`,
  "half a chunk": `${BODY}transfer-encoding: chunked\r\n\r\n64\r\n{`,
};
const EACH = 50;
/** What a connection that drips sends, so that it is never quite silent. */
const DRIP_INTERVAL_MS = 1_000;
/** Longer than the hub waits for a stranger. */
const SLOW_MS = 14_000;
/** The hub ends them after ten-odd seconds; what is waited for is only that it does. */
const ENDED_LIMIT_MS = 25_000;

/** A peer that takes no notice of anything, not even of the end of the connection. */
function openLoris(hub: Hub, beginning: string): { socket: Socket; ended: Promise<void> } {
  const { hostname, port } = new URL(hub.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  socket.on("connect", () => socket.write(beginning));
  socket.on("data", () => undefined);
  for (const event of ["end", "error", "close"]) socket.on(event, () => resolve());
  return { socket, ended };
}

/** Waits until the hub has ended all of them; says which it has not. */
async function untilEnded(lorises: readonly { name: string; ended: Promise<void> }[]): Promise<void> {
  const left = new Set(lorises);
  const ends = lorises.map(async (loris) => {
    await loris.ended;
    left.delete(loris);
  });
  await within(Promise.all(ends), "the end of all of them", ENDED_LIMIT_MS).catch((error) => {
    throw new Error(`${error}: left are ${[...new Set([...left].map(({ name }) => name))].join(", ")}`);
  });
}

test.concurrent(
  "hundreds of them keep nobody out, whether they are silent or drip, and all are ended",
  async () => {
    await using hub = await startHub({ env: { MAX_CONNECTIONS: "2", MAX_CONNECTIONS_PER_ADDRESS: "2" } });
    const lorises = Object.entries(BEGINNINGS).flatMap(([name, beginning]) =>
      Array.from({ length: EACH }, () => ({ name, ...openLoris(hub, beginning) })),
    );
    const dripping = lorises.filter((_, at) => at % 2 === 0);
    const drip = setInterval(() => {
      for (const { socket } of dripping) if (socket.writable) socket.write("x");
    }, DRIP_INTERVAL_MS);
    try {
      // They hold no places: those are for clients.
      await using client = await joinClient(hub);
      await using stream = await joinLive(hub);
      await using worker = await joinWorker(hub);
      expect(await client.next()).toBe(online());
      worker.send('{"type":"A"}');
      expect(await client.next()).toBe('{"type":"A"}');
      expect(await stream.texts(2)).toEqual([online(), '{"type":"A"}']);
      expect((await call(hub, "/readyz")).status).toBe(200);
      await untilEnded(lorises);
      worker.send('{"type":"B"}');
      expect(await client.next()).toBe('{"type":"B"}');
      expect(hub.logs().filter(({ level }) => level === "error")).toEqual([]);
    } finally {
      clearInterval(drip);
      for (const { socket } of lorises) socket.destroy();
    }
  },
  2 * ENDED_LIMIT_MS,
);

const ANSWERED: Record<string, string> = {
  "a refused handshake": `${HEAD}Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: out\r\n\r\n`,
  "a refused event stream": "GET /api/v1/events HTTP/1.1\r\nHost: hub\r\nCookie: out\r\n\r\n",
  "an event stream that has ended": "GET /api/v1/events HTTP/1.1\r\nHost: hub\r\n\r\n",
  "the head of an event stream": "HEAD /api/v1/events HTTP/1.1\r\nHost: hub\r\n\r\n",
  "the worker's status": "GET /api/v1/worker HTTP/1.1\r\nHost: hub\r\n\r\n",
  "the same, with a request begun behind it": "GET /api/v1/worker HTTP/1.1\r\nHost: hub\r\n\r\nGET /",
  "an unknown path": "GET /nowhere HTTP/1.1\r\nHost: hub\r\n\r\n",
};

test.concurrent(
  "nor does a connection stay open on which nothing follows an answer",
  async () => {
    await using endpoint = startAuthEndpoint((write, end, question) =>
      status(question.headers.get("cookie") === "out" ? 403 : 204)(write, end, question),
    );
    await using hub = await startHub({
      env: {
        CLIENT_AUTH_URL: endpoint.url,
        CLIENT_AUTH_TIMEOUT_MS: "600000",
        CLIENT_MAX_AGE_MS: "200",
        HEARTBEAT_INTERVAL_MS: "100",
      },
    });
    const lorises = Object.entries(ANSWERED).map(([name, request]) => ({ name, ...openLoris(hub, request) }));
    try {
      await untilEnded(lorises);
    } finally {
      for (const { socket } of lorises) socket.destroy();
    }
  },
  2 * ENDED_LIMIT_MS,
);

test.concurrent(
  "but a backend has time for its body, and for a receipt that conflation holds back",
  async () => {
    await using hub = await startHub({ env: { CONFLATE: `A:id:${SLOW_MS}` } });
    const upload = async (): Promise<string> => {
      const tcp = await connectTcp(hub.url);
      const answer = Promise.withResolvers<string>();
      tcp.receive((bytes) => answer.resolve(Buffer.from(bytes).toString().split("\r\n")[0] ?? ""));
      void tcp.closed.then(() => answer.resolve("closed"));
      const body = `{${" ".repeat(SLOW_MS / DRIP_INTERVAL_MS)}}`;
      tcp.write(`${BODY}x-worker-secret: ${SECRET}\r\ncontent-length: ${body.length}\r\n\r\n`);
      for (const byte of body) {
        tcp.write(byte);
        await Bun.sleep(DRIP_INTERVAL_MS);
      }
      const statusLine = await within(answer.promise, "an answer");
      tcp.reset();
      return statusLine;
    };
    const receipts = [1, 2].map((n) => publish(hub, `{"type":"A","id":"x","n":${n}}`));
    expect(await upload()).toBe("HTTP/1.1 202 Accepted");
    for (const receipt of receipts) expect((await receipt).status).toBe(202);
  },
  2 * ENDED_LIMIT_MS,
);
