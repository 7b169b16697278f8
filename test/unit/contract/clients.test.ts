import { afterAll, describe, expect, test } from "bun:test";
import { call } from "../../support/api.ts";
import { openConnection } from "../../support/connection.ts";
import { within } from "../../support/deadline.ts";
import { rawRequest } from "../../support/http.ts";
import type { Hub } from "../../support/hub.ts";
import { openRaw } from "../../support/rawsocket.ts";
import { openSse } from "../../support/sse-stream.ts";
import { overSse, overWebSocket, type StreamTransport } from "../../support/stream.ts";
import { openStream } from "../../support/streamclient.ts";
import { startVectraApi } from "../../support/vectra-api.ts";
import { requestFrom } from "../../support/visitor.ts";
import { openClient, type WsClient } from "../../support/wsclient.ts";

// The clients of the wire tests, in front of a hub that says what is not in the contract: each of them fails.

const STREAM_HEAD = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};
const HELLO =
  '{"type":"hello","conn_id":"0011aaff","cursor":"a-1","resumed":true,"heartbeat_ms":1,"worker":{"status":"offline","metadata":null}}';

/** Sends this as the first frame, and as the data of the first event; then it closes with a code of its own. */
function startImpostor(frame: string, event = frame) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const offered = request.headers.get("sec-websocket-protocol");
      const headers = { "sec-websocket-protocol": offered ?? "" };
      if (server.upgrade(request, { headers })) return undefined;
      if (!request.url.includes("/events")) return Response.json({ status: "fine" });
      const text = `event: hello\nid: a-1\ndata: ${event}\n\n`;
      // It never ends, so that it is sent in chunks.
      const body = new ReadableStream({ start: (controller) => controller.enqueue(text) });
      return new Response(body, { headers: STREAM_HEAD });
    },
    websocket: {
      open(socket) {
        socket.send(frame);
      },
      message(socket) {
        socket.close(4999, "made up");
      },
    },
  });
}

const impostor = startImpostor('{"type":"WORKER_STATUS","status":"busy"}');
const wellSpoken = startImpostor(HELLO);
afterAll(async () => {
  await impostor.stop(true);
  await wellSpoken.stop(true);
});

/** What the clients need of a hub. */
function hubAt(server: { readonly port?: number | undefined }): Hub {
  const url = `http://127.0.0.1:${server.port}`;
  const wsUrl = (query = ""): string => `${url.replace("http:", "ws:")}/ws${query === "" ? "" : `?${query}`}`;
  return { url, wsUrl } as Hub;
}

const hub = hubAt(impostor);

describe("a frame that the contract does not have fails", () => {
  test("a client of the browser's kind, when it is read and when it is not", async () => {
    const client = await openClient(hub.wsUrl());
    expect(await failureOf(client.next())).toContain("the contract has no frame");
    expect(await failureOf(disposed(client))).toContain("the contract has no frame");
  });

  test("a client on a raw socket", async () => {
    const client = await openRaw(hub.wsUrl());
    expect(await failureOf(client.nextText())).toContain("the contract has no frame");
    expect(await failureOf(disposed(client))).toContain("the contract has no frame");
  });

  test("a stream-framed one", async () => {
    const client = await openStream(hub, "client_type=worker");
    expect(await failureOf(client.nextText())).toContain("streamWorker");
    expect(await failureOf(disposed(client))).toContain("the contract has no frame");
  });

  test.each<[string, StreamTransport]>([
    ["WebSocket", overWebSocket],
    ["SSE", overSse],
  ])("a resuming one over %s", async (_, transport) => {
    const { ended } = transport({ url: hub.url, take: () => undefined });
    expect(await failureOf(within(ended, "the end"))).toContain("the contract has no");
    const right = transport({ url: hubAt(wellSpoken).url, take: () => right.drop() });
    await within(right.ended, "the end");
  });

  test("an event stream", async () => {
    const stream = await openSse(hub);
    expect(await failureOf(stream.next())).toContain("the contract has no event");
    expect(await failureOf(disposed(stream))).toContain("the contract has no event");
  });

  test("Vectra's API, told something by the bridge", async () => {
    const api = startVectraApi();
    await using client: WsClient = await openClient(api.wsUrl);
    client.send("ping");
    client.send('{"type":"DOC_UPDATE"}');
    await api.until("both came", () => api.sockets[0]?.received.length === 2);
    expect(await failureOf(api.stop())).toContain("rawClient receives");
  });
});

test("a close code that the contract does not list fails", async () => {
  const plain = await openClient(hubAt(wellSpoken).wsUrl());
  plain.send("ping");
  await plain.closed;
  expect(await failureOf(disposed(plain))).toContain("no close code 4999");
  const raw = await openStream(hubAt(wellSpoken));
  await raw.nextText();
  raw.text("ping");
  expect(await failureOf(raw.nextClose())).toContain("no close code 4999");
  expect(await failureOf(disposed(raw))).toContain("no close code 4999");
});

describe("an answer that the contract does not have fails", () => {
  const asked = { path: "/healthz" };
  const calls: Record<string, () => Promise<unknown>> = {
    "a backend's call": () => call(hub, asked.path),
    "a raw request": () => rawRequest(hub.url, asked),
    "a request from another address": () => requestFrom("127.0.0.1", hub.url, asked),
    async "a kept connection"() {
      await using connection = await openConnection(hub);
      connection.send(asked);
      await connection.answer();
    },
  };
  test.each(Object.keys(calls))("%s", async (name) => {
    expect(await failureOf((calls[name] as () => Promise<unknown>)())).toContain("GET /healthz");
  });
});

/** What a promise fails with. Not by `rejects`, in which Bun waits without letting a WebSocket have its turn. */
async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return String(error);
  }
  return "it did not fail";
}

async function disposed(party: AsyncDisposable): Promise<void> {
  await party[Symbol.asyncDispose]();
}
