import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { call } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { joinLive } from "../../support/streamclient.ts";

// Connections that begin a request and never finish it: they keep nobody out, and they are ended.

const HEAD = "GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n";
const BODY = "POST /api/v1/publish HTTP/1.1\r\nHost: hub\r\ncontent-type: application/json\r\n";

const BEGINNINGS: Record<string, string> = {
  "one letter": "G",
  "a request line without end": "GET /ws?",
  "half a handshake": HEAD,
  "a header without end": `${HEAD}Sec-WebSocket-Key: `,
  "a body that does not come": `${BODY}x-worker-secret: ${SECRET}\r\ncontent-length: 100\r\n\r\n`,
  "half a body": `${BODY}x-worker-secret: ${SECRET}\r\ncontent-length: 100\r\n\r\n{"type":"A`,
  "half a body that nobody is allowed to send": `${BODY}content-length: 100\r\n\r\n{`,
  "half a chunk": `${BODY}x-worker-secret: ${SECRET}\r\ntransfer-encoding: chunked\r\n\r\n64\r\n{`,
};
const EACH = 50;
/** What a connection that drips sends, so that it is never quite silent. */
const DRIP_INTERVAL_MS = 1_000;
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

test(
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

      const left = new Set(lorises);
      const ends = lorises.map(async (loris) => {
        await loris.ended;
        left.delete(loris);
      });
      await within(Promise.all(ends), "the end of all of them", ENDED_LIMIT_MS).catch((error) => {
        throw new Error(
          `${error}: left are ${JSON.stringify([...new Set([...left].map(({ name }) => name))])}`,
        );
      });
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
