import { describe, expect, test } from "bun:test";
import { type RawResponse, type RequestHead, rawRequest } from "../support/http.ts";
import { startHub } from "../support/hub.ts";
import { OFFLINE } from "../support/parties.ts";
import { handshake, openRaw } from "../support/rawsocket.ts";

// PROTOCOL.md section 1, "Refused before the upgrade", as problem+json (RFC 9457).

function expectProblem(response: RawResponse, status: number): void {
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json\b/);
  expect(JSON.parse(response.body)).toMatchObject({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
  });
}

describe("an unknown path", () => {
  const paths = ["/nope", "/ws/", "/ws/extra", "/WS", "/api/v1/ws2", "/api/v1", "//ws", "/%77s%2f"];
  test.each(paths)("is 404, plain and as a handshake: %s", async (path) => {
    await using hub = await startHub();
    expectProblem(await rawRequest(hub.url, { path }), 404);
    expectProblem(await rawRequest(hub.url, handshake(`${hub.url}${path}`)), 404);
    expectProblem(await rawRequest(hub.url, { method: "POST", path }), 404);
  });

  test("is what the default paths are, once WS_PATHS names others", async () => {
    await using hub = await startHub({ env: { WS_PATHS: "/socket,/live/ws" } });
    for (const path of ["/ws", "/api/v1/ws"]) {
      expectProblem(await rawRequest(hub.url, handshake(`${hub.url}${path}`)), 404);
    }
    for (const path of ["/socket", "/live/ws"]) {
      await using socket = await openRaw(hub.wsUrl("client_type=client", path));
      expect(await socket.nextText()).toBe(OFFLINE);
    }
  });
});

describe.each(["/ws", "/api/v1/ws?client_type=client"])("at %s", (path) => {
  test("a plain GET is 426 and says what to upgrade to", async () => {
    await using hub = await startHub();
    const response = await rawRequest(hub.url, { path });
    expectProblem(response, 426);
    expect(response.headers.get("upgrade")).toBe("websocket");
    expect(response.headers.get("connection")?.toLowerCase()).toContain("upgrade");
  });

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])("%s is 405 with Allow", async (method) => {
    await using hub = await startHub();
    const head: RequestHead = { method, path, headers: [["content-length", "0"]] };
    const response = await rawRequest(hub.url, head);
    expectProblem(response, 405);
    expect(response.headers.get("allow")?.split(/, */)).toContain("GET");
  });

  const broken: Record<string, Record<string, string | undefined>> = {
    "without a key": { "sec-websocket-key": undefined },
    "with an empty key": { "sec-websocket-key": "" },
    "with a key that is too short": { "sec-websocket-key": "c2hvcnQ=" },
    "with a key that is no base64": { "sec-websocket-key": "!!!!!!!!!!!!!!!!!!!!!!!!" },
  };
  test.each(Object.keys(broken))("a handshake %s is 400", async (name) => {
    await using hub = await startHub();
    expectProblem(await rawRequest(hub.url, handshake(`${hub.url}${path}`, broken[name])), 400);
  });

  test.each(["8", "12", "x", undefined])(
    "a handshake of version %s is refused and told the right one",
    async (version) => {
      await using hub = await startHub();
      const response = await rawRequest(
        hub.url,
        handshake(`${hub.url}${path}`, { "sec-websocket-version": version }),
      );
      expectProblem(response, response.status);
      expect([400, 426]).toContain(response.status);
      expect(response.headers.get("sec-websocket-version")).toBe("13");
    },
  );
});

describe("a Host header that is no host (RFC 9112 section 3.2)", () => {
  const hosts = ["127.0{0.1", "a b", "[::1", "host:99999", "ho%st", "<script>", "http://x/"];
  test.each(hosts)("is 400 at most, and no fault of the hub: %j", async (host) => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    for (const path of ["/ws", "/nope"]) {
      for (const head of [{ path }, handshake(`${hub.url}${path}`)]) {
        const response = await rawRequest(hub.url, { ...head, host });
        expect(response.status).toBeLessThan(500);
        expect(response.body).not.toContain(host);
      }
    }
    expect(hub.logs().filter((line) => line.level === "error")).toEqual([]);
    await using socket = await openRaw(hub.wsUrl());
    expect(await socket.nextText()).toBe(OFFLINE);
  });
});

test("a refusal says nothing about the hub's inside, and does not keep it from serving the next", async () => {
  await using hub = await startHub();
  for (const path of ["/nope", "/ws", "/%00", "/..%2f..%2fetc%2fpasswd", `/${"a".repeat(4000)}`]) {
    const response = await rawRequest(hub.url, { path });
    expect(response.body).not.toMatch(/\.ts\b|at .*:\d+:\d+|node_modules/);
  }
  await using socket = await openRaw(hub.wsUrl());
  expect(await socket.nextText()).toBe(OFFLINE);
});
