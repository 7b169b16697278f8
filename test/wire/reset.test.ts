import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { encodeFrame, OPCODE } from "../support/frame.ts";
import { startHub } from "../support/hub.ts";
import { joinClient, joinRawClient, joinRawWorker, joinWorker, OFFLINE, online } from "../support/parties.ts";
import { connectTcp } from "../support/tcp.ts";

// Connections that end without a word: what a crashed machine or a cut cable leaves behind.

const message = '{"type":"DOC_UPDATE","id":"b7a1","status":"indexed"}';
const whole = encodeFrame({ opcode: OPCODE.text, payload: message });
const cuts: Record<string, number> = { header: 1, mask: 4, payload: 20, "last byte": whole.length - 1 };

describe("a TCP reset of the worker in the middle of a frame", () => {
  test.each(Object.keys(cuts))(
    "(cut in its %s) is offline at once, and the piece is not published",
    async (name) => {
      await using hub = await startHub();
      await using client = await joinClient(hub);
      await using worker = await joinRawWorker(hub);
      worker.tcp.write(
        Buffer.concat([
          whole,
          encodeFrame({ opcode: OPCODE.text, payload: "ping" }),
          whole.subarray(0, cuts[name]),
        ]),
      );
      // The answer shows that the hub has read everything before the reset.
      expect(await worker.nextText()).toBe("pong");
      worker.tcp.reset();

      for (const text of [online(), message, OFFLINE]) expect(await client.next()).toBe(text);
      expect(await client.untilPong()).toEqual([]);
      await using next = await joinWorker(hub);
      next.send(message);
      for (const text of [online(), message]) expect(await client.next()).toBe(text);
    },
  );

  test("between the fragments of a message is no different", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using worker = await joinRawWorker(hub);
    worker.frame({ opcode: OPCODE.text, fin: false, payload: message });
    worker.frame({ opcode: OPCODE.ping, payload: "read so far?" });
    expect((await worker.next()).opcode).toBe(OPCODE.pong);
    worker.tcp.reset();
    for (const text of [online(), OFFLINE]) expect(await client.next()).toBe(text);
    expect(await client.untilPong()).toEqual([]);
  });
});

test("clients that reset, in a frame or while they are being sent to, disturb nobody", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  await using bystander = await joinClient(hub, online());
  for (let round = 0; round < 20; round += 1) {
    const client = await joinRawClient(hub, online());
    client.tcp.write(whole.subarray(0, 1 + (round % whole.length)));
    worker.send(message);
    client.tcp.reset();
    await within(client.tcp.closed, "reset");
  }
  await worker.untilPong();
  expect(await bystander.untilPong()).toEqual(Array.from({ length: 20 }, () => message));
  expect(await hub.stop()).toBe(0);
});

test("a connection that is reset in the middle of its handshake disturbs nobody", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  for (const part of [
    "",
    "G",
    "GET /ws HTTP/1.1\r\nUpgr",
    "GET /ws?client_type=worker HTTP/1.1\r\nx-worker-secret: 7f\r\n",
  ]) {
    const tcp = await connectTcp(hub.url);
    tcp.write(part);
    tcp.reset();
    await within(tcp.closed, "reset");
  }
  expect(await worker.untilPong()).toEqual([]);
});
