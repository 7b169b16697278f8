import { describe, expect, test } from "bun:test";
import { closePayload, encodeFrame, OPCODE, readClose } from "../support/frame.ts";
import { startHub } from "../support/hub.ts";
import { joinClient, joinRawClient, joinWorker, OFFLINE, online, register } from "../support/parties.ts";
import { openRaw } from "../support/rawsocket.ts";
import { openClient } from "../support/wsclient.ts";

// PROTOCOL.md section 1: on open, and the text frames that the hub understands from anyone.

describe("on open", () => {
  test.each(["/ws", "/api/v1/ws"])("a client at %s gets the worker's status, alone", async (path) => {
    await using hub = await startHub();
    for (const query of ["", "client_type=client", "client_type=client&token=x", "unknown=1"]) {
      await using client = await openClient(hub.wsUrl(query, path));
      expect(await client.untilPong()).toEqual([OFFLINE]);
    }
  });

  test("a worker at either path gets its own new status, once, and it stands as online", async () => {
    for (const path of ["/ws", "/api/v1/ws"]) {
      await using hub = await startHub();
      await using worker = await openClient(hub.wsUrl("client_type=worker", path), {
        headers: { "x-worker-secret": "7f3a9c52e8d14b06a1f5c3e97b20d8461" },
      });
      expect(await worker.untilPong()).toEqual([online()]);
      await using client = await openClient(hub.wsUrl("", path));
      expect(await client.untilPong()).toEqual([online()]);
    }
  });

  test("a client's arrival is news to nobody else", async () => {
    await using hub = await startHub();
    await using first = await joinClient(hub);
    await using worker = await joinWorker(hub);
    expect(await first.next()).toBe(online());
    await using second = await joinClient(hub, online());
    second.send("get_worker_status");
    expect(await second.next()).toBe(online());

    expect(await first.untilPong()).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
  });

  test("each connection gets an id of its own in the log", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    await using _client = await joinClient(hub);
    await using _worker = await joinWorker(hub);
    const lines = await hub.waitForLogs(
      "connection ids",
      2,
      (line) => line.event === "START" && "conn_id" in line,
    );
    const ids = lines.map((line) => String(line["conn_id"]));
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}$/);
  });

  test("neither a subprotocol nor compression is taken up", async () => {
    await using hub = await startHub();
    await using socket = await openRaw(hub.wsUrl(), {
      headers: {
        "sec-websocket-protocol": "chat, superchat",
        "sec-websocket-extensions": "permessage-deflate",
      },
    });
    expect(socket.responseHeaders.get("sec-websocket-protocol")).toBeNull();
    expect(socket.responseHeaders.get("sec-websocket-extensions")).toBeNull();
    expect(await socket.nextText()).toBe(OFFLINE);
  });
});

describe("ping", () => {
  test("is answered to its sender alone, client or worker", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    client.send("ping");
    expect(await client.next()).toBe("pong");
    worker.send("ping");
    expect(await worker.next()).toBe("pong");

    expect(await client.untilPong()).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
  });

  test("is understood in fragments, and byte by byte", async () => {
    await using hub = await startHub();
    await using socket = await joinRawClient(hub);
    socket.frame({ opcode: OPCODE.text, fin: false, payload: "p" });
    socket.frame({ opcode: OPCODE.continuation, fin: false, payload: "" });
    socket.frame({ opcode: OPCODE.ping, payload: "between" });
    socket.frame({ opcode: OPCODE.continuation, payload: "ing" });
    expect(await socket.next()).toMatchObject({
      opcode: OPCODE.pong,
      payload: Uint8Array.from(Buffer.from("between")),
    });
    expect(await socket.nextText()).toBe("pong");

    for (const byte of encodeFrame({ opcode: OPCODE.text, payload: "ping" }))
      socket.tcp.write(Uint8Array.of(byte));
    expect(await socket.nextText()).toBe("pong");
  });
});

describe("get_worker_status", () => {
  test("is answered to the asker alone, with the status of that moment", async () => {
    await using hub = await startHub();
    await using asker = await joinClient(hub);
    await using bystander = await joinClient(hub);
    asker.send("get_worker_status");
    expect(await asker.next()).toBe(OFFLINE);
    expect(await bystander.untilPong()).toEqual([]);

    await using worker = await joinWorker(hub);
    expect([await asker.next(), await bystander.next()]).toEqual([online(), online()]);
    worker.send("get_worker_status");
    expect(await worker.next()).toBe(online());
    asker.send("get_worker_status");
    expect(await asker.next()).toBe(online());
    expect(await bystander.untilPong()).toEqual([]);
  });
});

describe("anything else from a client", () => {
  const ignored = [
    "",
    " ",
    "PING",
    " ping",
    "ping\n",
    "pong",
    "get_worker_status ",
    '"ping"',
    '{"type":"ping"}',
    '{"type":"DOC_UPDATE","id":"b7a1"}',
    '{"type":"WORKER_STATUS","status":"offline","metadata":null}',
    register({ hostname: "no worker" }),
    "[]",
    "{",
    "\u{1f511}",
    "x".repeat(70_000),
  ];

  test("is ignored: no answer, nothing forwarded, no change, and the connection stays", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using bystander = await joinClient(hub, online());
    await using client = await joinClient(hub, online());
    for (const text of ignored) {
      client.send(text);
      expect(await client.untilPong()).toEqual([]);
    }
    expect(await bystander.untilPong()).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
    client.send("get_worker_status");
    expect(await client.next()).toBe(online());
  });
});

describe("control frames (RFC 6455 section 5.5)", () => {
  test("a ping is answered with its own payload", async () => {
    await using hub = await startHub();
    await using socket = await joinRawClient(hub);
    for (const payload of [Buffer.alloc(0), Buffer.from("hello"), Buffer.alloc(125, 0xff)]) {
      socket.frame({ opcode: OPCODE.ping, payload });
      const { opcode, payload: answer } = await socket.next();
      expect({ opcode, answer: Buffer.from(answer) }).toEqual({ opcode: OPCODE.pong, answer: payload });
    }
    socket.frame({ opcode: OPCODE.pong, payload: "unasked" });
    expect(await socket.untilPong()).toEqual([]);
  });

  test.each([1000, 1001, 3000, 4999])("a close with %d is answered with the same code", async (code) => {
    await using hub = await startHub();
    await using socket = await joinRawClient(hub);
    socket.frame({ opcode: OPCODE.close, payload: closePayload(code, "bye") });
    expect((await socket.nextClose()).code).toBe(code);
    await socket.tcp.closed;
  });

  test("a close without a code is answered", async () => {
    await using hub = await startHub();
    await using socket = await joinRawClient(hub);
    socket.frame({ opcode: OPCODE.close });
    const answer = readClose(await socket.next());
    expect([1000, 1005]).toContain(answer.code);
    await socket.tcp.closed;
  });
});
