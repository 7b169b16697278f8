import { describe, expect, test } from "bun:test";
import { expectProblem, publish } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { rawRequest } from "../../support/http.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinClient } from "../../support/parties.ts";
import { handshake } from "../../support/rawsocket.ts";
import { openSse } from "../../support/sse-stream.ts";
import { connectTcp } from "../../support/tcp.ts";
import { knock, knockSse } from "../../support/visitor.ts";

// Requests that a proxy and the hub might cut at different places (RFC 9112, section 11.2), and line ends in what comes
// decoded out of a query.

/** Sends bytes and reads what comes back until the hub ends the connection. */
async function exchange(hub: Hub, bytes: string): Promise<string> {
  const tcp = await connectTcp(hub.url);
  const received: Uint8Array[] = [];
  tcp.receive((chunk) => void received.push(chunk));
  tcp.write(Buffer.from(bytes, "latin1"));
  await within(tcp.closed, `the end of the connection after ${JSON.stringify(bytes.slice(0, 300))}`);
  return Buffer.concat(received).toString("latin1");
}

const PUBLISH = `POST /api/v1/publish HTTP/1.1\r\nHost: hub\r\nx-worker-secret: ${SECRET}\r\ncontent-type: application/json\r\n`;
/** What an attacker would put behind a body, so that the hub takes it for a request of its own. */
const SMUGGLED = `${PUBLISH}content-length: 14\r\n\r\n{"smuggled":1}`;

/** Each is refused as a whole: nobody can say where its body ends. */
const AMBIGUOUS: Record<string, string> = {
  "a length and chunks": `${PUBLISH}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks and a length": `${PUBLISH}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
  "two lengths": `${PUBLISH}content-length: 2\r\ncontent-length: ${2 + SMUGGLED.length}\r\n\r\n{}`,
  "a list of lengths": `${PUBLISH}content-length: 2, 2\r\n\r\n{}`,
  "a length with a sign": `${PUBLISH}content-length: +2\r\n\r\n{}`,
  "a negative length": `${PUBLISH}content-length: -1\r\n\r\n{}`,
  "a length in hexadecimal": `${PUBLISH}content-length: 0x2\r\n\r\n{}`,
  "a length beyond all numbers": `${PUBLISH}content-length: 99999999999999999999999\r\n\r\n{}`,
  "a space before the colon of the length": `${PUBLISH}content-length : 2\r\n\r\n{}`,
  "a space before the colon of the coding": `${PUBLISH}transfer-encoding : chunked\r\ncontent-length: 2\r\n\r\n{}`,
  "a coding that only looks like chunks": `${PUBLISH}transfer-encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  "chunks that are not the last coding": `${PUBLISH}transfer-encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  "two codings": `${PUBLISH}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  "a header that goes on in the next line": `${PUBLISH}x-a: b\r\n content-length: 9\r\ncontent-length: 2\r\n\r\n{}`,
  "a line that ends with LF alone": `${PUBLISH}x-a: b\ncontent-length: 2\r\n\r\n{}`,
  "a line that ends with CR alone": `${PUBLISH}x-a: b\rcontent-length: 2\r\n\r\n{}`,
  "a NUL in a header": `${PUBLISH}x-a: b\0c\r\ncontent-length: 2\r\n\r\n{}`,
  "a chunk of no size": `${PUBLISH}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  "a chunk of negative size": `${PUBLISH}transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n`,
  "a chunk beyond all numbers": `${PUBLISH}transfer-encoding: chunked\r\n\r\nffffffffffffffff2\r\n{}\r\n0\r\n\r\n`,
  "no Host": `${PUBLISH.replace("Host: hub\r\n", "")}content-length: 2\r\n\r\n{}`,
  "another protocol": `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
};

test.each(Object.keys(AMBIGUOUS))("%s: refused, and what follows is no request", async (name) => {
  await using hub = await startHub();
  await using client = await joinClient(hub);
  const answer = await exchange(hub, `${AMBIGUOUS[name]}${SMUGGLED}`);
  expect(answer).toStartWith("HTTP/1.1 400 ");
  expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(await client.untilPong()).toEqual([]);
  await publish(hub, '{"n":1}');
  expect(await client.next()).toBe('{"n":1}');
});

test("a line end in the request line makes no header", async () => {
  await using hub = await startHub();
  for (const target of [
    "/ws?types=A\r\nx-worker-secret: x",
    "/ws?types=A\nx-worker-secret: x",
    "/ws?a\0b",
    "/ws?a b",
  ]) {
    const answer = await exchange(hub, `GET ${target} HTTP/1.1\r\nHost: hub\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|505) /);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  }
});

const INJECTED = "x%0d%0aSet-Cookie:%20injected=1%0d%0a%0d%0a<script>";

describe("line ends in a value of the query", () => {
  const parameters = ["types", "since", "client_type", "token", "if_offline", "unknown"];
  test.each(parameters)("%s: no header of an answer and no event is made of them", async (parameter) => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    const query = `${parameter}=${INJECTED}`;
    const answers = [
      await knock(hub, { query }),
      await knockSse(hub, { query }),
      await rawRequest(hub.url, { path: `/api/v1/worker?${query}` }),
      await rawRequest(hub.url, { path: `/ws?${query}` }),
      await rawRequest(hub.url, { path: `/nowhere?${query}` }),
      await rawRequest(hub.url, { path: `/api/v1/stats?${query}` }),
    ];
    for (const { headers, body } of answers) {
      expect(headers.get("set-cookie")).toBeNull();
      expect(body).not.toContain("<script>");
    }
    for (const line of hub.output().split("\n")) expect(line).toStartWith("{");
  });

  test("since: the stream says hello as ever, and holds nothing of it", async () => {
    await using hub = await startHub();
    await using stream = await openSse(hub, { since: "x\r\n\r\ndata: injected\r\n\r\n" });
    expect((await stream.next()).retry).toMatch(/^\d+$/);
    expect((await stream.nextEvent("hello")).json).toMatchObject({ resumed: false, reason: "unknown" });
    expect((await stream.next()).event).toBe("live");
    await publish(hub, '{"n":1}');
    expect((await stream.nextMessage()).data).toBe('{"n":1}');
  });

  test("in the path: it is named in the answer, but as JSON", async () => {
    await using hub = await startHub();
    const answer = await rawRequest(hub.url, { path: "/%0d%0aSet-Cookie:%20a=1%22,%22x%22:%22" });
    expectProblem(answer, 404, "not_found");
    expect(answer.headers.get("set-cookie")).toBeNull();
  });
});

test("a subprotocol with line ends or other names is not echoed", async () => {
  await using hub = await startHub();
  for (const offered of ["x, y", "vectra.stream.v1x", "vectra.stream.v1;a", "VECTRA.STREAM.V1"]) {
    const { status, headers } = await rawRequest(
      hub.url,
      handshake(hub.wsUrl(), { "sec-websocket-protocol": offered }),
    );
    expect([offered, status, headers.get("sec-websocket-protocol")]).toEqual([offered, 101, null]);
  }
});
