import { afterEach, describe, expect, test } from "bun:test";
import { testThatNeeds } from "../support/skip.ts";
import { openClosedLoop } from "./generator/closed-loop.ts";
import { connectNchanPublisher } from "./generator/nchan.ts";
import { connectProbe } from "./generator/probe.ts";
import { connectSocketIo } from "./generator/socket-io.ts";
import { nchan, socketIo, ws } from "./peers.ts";
import { createSecret, startServer } from "./servers.ts";
import type { Target } from "./target.ts";
import { resolveTarget } from "./targets.ts";

// Other servers are measured fairly only if the generator speaks their protocol, and sees what they lose.

const opened: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function running(target: Target) {
  const workerSecret = createSecret();
  const server = await startServer(target, workerSecret);
  opened.push(server.stop);
  return { url: server.url, serverPid: server.pid, workerSecret, wire: target.wire ?? ("raw" as const) };
}

const peers = await Promise.all([ws(), socketIo(), nchan()]);
const found = [await resolveTarget("floor"), ...peers];

describe.each(found.map((peer) => [peer.name, peer] as const))("%s", (name, peer) => {
  const target = "missing" in peer ? undefined : peer;
  const need = "missing" in peer ? `${name} (${peer.missing})` : name;
  const check = testThatNeeds(need, target !== undefined);

  check(
    `${name}: every subscriber gets every message once, byte for byte, whatever is in flight`,
    async () => {
      if (target === undefined) throw new Error("it is there");
      const session = await openClosedLoop({ ...(await running(target)), subscribers: 5, maxInFlight: 100 });
      opened.push(session.close);
      for (const inFlight of [1, 20, 100]) {
        const round = await session.run(inFlight, 50);
        expect(round.deliveries).toBeGreaterThan(0);
      }
    },
  );

  check(`${name}: at a fixed pace every message is timed at every witness`, async () => {
    if (target === undefined) throw new Error("it is there");
    const probe = await connectProbe(await running(target));
    opened.push(probe.close);
    for (let witness = 0; witness < 3; witness += 1) await probe.addWitness();
    const first = await probe.run({ perSecond: 500, durationMs: 100 });
    expect(first.sent).toBe(50);
    expect(first.lateness.total).toBe(50);
    expect(first.latencies.total).toBe(150);
    const second = await probe.run({ perSecond: 2_000, durationMs: 100 });
    expect(second.sent).toBe(250);
    expect(second.latencies.total).toBe(600);
  });
});

const nothing = (): void => undefined;

/** A server that answers the first bytes of each connection with these pieces, one after the other. */
function answering(...pieces: string[]): string {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        for (const piece of pieces) {
          socket.write(Buffer.from(piece, "latin1"));
          socket.flush();
        }
      },
    },
  });
  opened.push(() => listener.stop(true));
  return `http://127.0.0.1:${listener.port}/`;
}

const textFrame = (text: string): string => String.fromCharCode(0x81, text.length) + text;
const UPGRADED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

test("Socket.IO: a client that is not let into the namespace is noticed", async () => {
  const url = answering(UPGRADED, textFrame('0{"sid":"a"}'), textFrame('44{"message":"no"}'));
  const handlers = { onMessage: nothing, onOther: nothing, onChunkEnd: nothing, onFailure: nothing };
  await expect(connectSocketIo({ url, ...handlers })).rejects.toThrow('the packet 44{"message":"no"}');
});

test("Nchan: a message that was not taken is noticed, though its status comes in two reads", async () => {
  const taken = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
  const failure = Promise.withResolvers<Error>();
  const url = answering(taken, "HTTP/1.1 4", "13 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n");
  const publisher = await connectNchanPublisher(new URL(url), failure.resolve);
  opened.push(publisher.end);
  publisher.write(Buffer.from("POST"));
  expect((await failure.promise).message).toBe("the server refused: HTTP/1.1 413 Request Entity Too Large");
});

test("the probe notices a message that a witness misses", async () => {
  let messages = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("", { status: 400 })),
    websocket: {
      open: (socket) => void socket.subscribe("all"),
      message(socket, text) {
        messages += 1;
        if (messages !== 20) socket.publish("all", text);
      },
    },
  });
  opened.push(() => server.stop(true));
  const probe = await connectProbe({ url: server.url.href, workerSecret: "for no one", wire: "raw" });
  opened.push(probe.close);
  await probe.addWitness();
  await expect(probe.run({ perSecond: 1_000, durationMs: 100 })).rejects.toThrow(
    "received message 20 instead of 19",
  );
});

test("the probe counts a stall of the server against all messages that it delays", async () => {
  const held: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("", { status: 400 })),
    websocket: {
      open: (socket) => void socket.subscribe("all"),
      // Nothing goes out before the last of the 100 messages has come.
      message(socket, text) {
        held.push(String(text));
        if (held.length === 100) for (const each of held) socket.publish("all", each);
      },
    },
  });
  opened.push(() => server.stop(true));
  const probe = await connectProbe({ url: server.url.href, workerSecret: "for no one", wire: "raw" });
  opened.push(probe.close);
  await probe.addWitness();
  const { latencies } = await probe.run({ perSecond: 500, durationMs: 200 });
  expect(latencies.total).toBe(100);
  // The first waited for the other 99, which were not due earlier than 198 ms after it.
  expect(latencies.max).toBeGreaterThanOrEqual(198);
  const late = Object.entries(latencies.counts).filter(([bucket]) => 0.001 * 1.01 ** Number(bucket) > 100);
  expect(late.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThanOrEqual(48);
});
