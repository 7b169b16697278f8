import { expect, test } from "bun:test";
import { type Link, OPENING_LIMIT_MS, openLink } from "../../../src/bridge/link.ts";
import { within } from "../../support/deadline.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";
import { startVectraApi } from "../../support/vectra-api.ts";

const config = { HEARTBEAT_INTERVAL_MS: 1_000, HEARTBEAT_TIMEOUT_MS: 2_500 };

function open(url: string) {
  const runtime = createFakeRuntime();
  const joined = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const texts: string[] = [];
  const link: Link = openLink({
    role: "client",
    address: { url, headers: {} },
    config,
    runtime,
    events: { joined: joined.resolve, ended: ended.resolve, text: (text) => texts.push(text) },
  });
  return { link, runtime, joined: joined.promise, ended: ended.promise, texts };
}

test("a server that takes the connection and says nothing is given up", async () => {
  const connected = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: () => connected.resolve(), close: () => gone.resolve() },
  });
  const { runtime, ended } = open(`ws://127.0.0.1:${server.port}/`);
  await within(connected.promise, "the handshake");
  runtime.advance(OPENING_LIMIT_MS);
  expect(await within(ended, "the end")).toBe(`no answer within ${OPENING_LIMIT_MS} ms`);
  await within(gone.promise, "the end of the connection");
  expect(runtime.timerCount()).toBe(0);
});

test("a server that upgrades and does not answer the ping is given up, too", async () => {
  await using api = startVectraApi();
  api.hang();
  const { link, runtime, ended } = open(api.wsUrl);
  await api.until("the connection", () => api.sockets.length === 1);
  expect(link.isJoined()).toBe(false);
  runtime.advance(OPENING_LIMIT_MS);
  expect(await within(ended, "the end")).toStartWith("no answer");
  await api.until("its end", () => api.sockets[0]?.ended !== undefined);
});

test("a heartbeat is sent with every interval, and silence for as long as the time-out is the end", async () => {
  await using api = startVectraApi();
  const { link, runtime, joined, ended } = open(api.wsUrl);
  await within(joined, "the first answer");
  api.hang();
  runtime.advance(3 * config.HEARTBEAT_INTERVAL_MS);
  expect(link.isJoined()).toBe(true);
  runtime.advance(config.HEARTBEAT_INTERVAL_MS);
  expect(await within(ended, "the end")).toBe("mute for 3000 ms");
  expect(runtime.timerCount()).toBe(0);
});

test("a hub that was stopped for long does not take the API for mute", async () => {
  await using api = startVectraApi();
  const { link, runtime, joined } = open(api.wsUrl);
  await within(joined, "the first answer");
  runtime.stall(100 * config.HEARTBEAT_TIMEOUT_MS);
  expect(link.isJoined()).toBe(true);
  await api.until("another ping", () => (api.sockets[0]?.received.length ?? 0) >= 2);
  link.close(1000);
});

test("an API that does not read is given up before much is waiting for it", async () => {
  const handshake = Promise.withResolvers<void>();
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        const key = /sec-websocket-key: (\S+)/i.exec(bytes.toString())?.[1] ?? "";
        const accept = new Bun.CryptoHasher("sha1")
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64");
        const pong = Buffer.concat([Buffer.from([0x81, 4]), Buffer.from("pong")]);
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket.write(pong);
        socket.pause();
        handshake.resolve();
      },
    },
  });
  const { link, joined, ended } = open(`ws://127.0.0.1:${server.port}/`);
  await within(joined, "the first answer");
  let sent = 0;
  for (; link.isJoined() && sent < 1_000; sent += 1) link.send("x".repeat(65_536));
  expect(await within(ended, "the end")).toBe("it does not read");
  // The kernels' buffers take some megabytes.
  expect(sent).toBeLessThan(1_000);
});

test("what names the reason of an end names no address: its query may hold a secret", async () => {
  await using api = startVectraApi();
  await api.stop();
  const { ended } = open(`${api.wsUrl}?token=hidden`);
  expect(await within(ended, "the end")).toBe("ECONNREFUSED");
});
