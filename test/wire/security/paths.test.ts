import { describe, expect, test } from "bun:test";
import { call } from "../../support/api.ts";
import { rawRequest } from "../../support/http.ts";
import { startHub } from "../../support/hub.ts";
import { OFFLINE } from "../../support/parties.ts";
import { handshake } from "../../support/rawsocket.ts";
import { enter } from "../../support/visitor.ts";

// Tricks with paths: no other spelling of a guarded path may lead past its guard.

const PRODUCTION = { ENV: "production", OPS_TOKEN: "a-token-that-only-reads-6d1e8a40c2b7" };

/** Other spellings of a path: by dots, slashes, percent signs, case, ends, and whole URLs. */
function spellings(path: string): string[] {
  const [first = "", ...rest] = path.slice(1);
  const encoded = `%${first.charCodeAt(0).toString(16)}`;
  return [
    path,
    `${path}/`,
    `${path}//`,
    `/${path}`,
    `//${path}`,
    `/.${path}`,
    `/..${path}`,
    `/x/..${path}`,
    `/api/v1/../..${path}`,
    `/ws/..${path}`,
    `/healthz/..${path}`,
    `/healthz/%2e%2e${path}`,
    `/healthz/%2E%2E%2f${path.slice(1)}`,
    `/healthz%2f..${path}`,
    `/healthz/..;${path}`,
    `/healthz\\..\\${path.slice(1)}`,
    `/%2e${path}`,
    `/${encoded}${rest.join("")}`,
    `/%25${encoded.slice(1)}${rest.join("")}`,
    `/%2f${path.slice(1)}`,
    path.toUpperCase(),
    `${path}%00`,
    `${path}%20`,
    `${path}%2f`,
    `${path}%0d%0a`,
    `${path}.json`,
    `${path};x=/healthz`,
    `${path}?/healthz`,
    `${path}#/healthz`,
    `${path}/../healthz/..${path}`,
    `http://127.0.0.1${path}`,
    `http://healthz${path}`,
    `http:${path}`,
    path.slice(1),
    `*${path}`,
  ];
}

describe.each([
  ["GET", "/metrics"],
  ["GET", "/api/v1/stats"],
  ["GET", "/api/v1/worker/messages/1"],
  ["POST", "/api/v1/publish"],
  ["POST", "/api/v1/worker/messages"],
])("%s %s", (method, path) => {
  test("is reached by no spelling without a secret", async () => {
    await using hub = await startHub({ env: PRODUCTION });
    const body = method === "POST" ? ([["content-length", "0"]] as const) : [];
    for (const spelling of spellings(path)) {
      const { status, body: text } = await rawRequest(hub.url, { method, path: spelling, headers: body });
      expect([spelling, [400, 401, 404].includes(status)]).toEqual([spelling, true]);
      expect(text).not.toContain("vectra_");
      expect(text).not.toContain("uptime_s");
    }
    expect((await call(hub, "/healthz")).status).toBe(200);
  });
});

test("a foreign page reaches the WebSocket and the event stream by no spelling either", async () => {
  await using hub = await startHub({ env: PRODUCTION });
  const origin = "https://evil.example";
  for (const path of ["/ws", "/api/v1/ws"]) {
    for (const spelling of spellings(path)) {
      const { status } = await rawRequest(hub.url, { ...handshake(hub.wsUrl(), { origin }), path: spelling });
      expect([spelling, [400, 403, 404].includes(status)]).toEqual([spelling, true]);
    }
  }
  for (const path of ["/api/v1/events", "/api/v1/worker"]) {
    for (const spelling of spellings(path)) {
      const { status } = await rawRequest(hub.url, { path: spelling, headers: [["origin", origin]] });
      expect([spelling, [400, 403, 404].includes(status)]).toEqual([spelling, true]);
    }
  }
});

test("methods make no way around: none but those served are answered, and a method in a header is none", async () => {
  await using hub = await startHub({ env: PRODUCTION });
  for (const method of ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "X"]) {
    for (const path of ["/api/v1/publish", "/metrics", "/api/v1/stats", "/api/v1/worker", "/ws"]) {
      const headers = [
        ["content-length", "0"],
        ["x-http-method-override", "GET"],
      ] as const;
      const { status } = await rawRequest(hub.url, { method, path, headers }).catch(() => ({ status: 0 }));
      // 0: the server has ended the connection without a word, as it does for what is no method.
      expect([method, path, [0, 400, 404, 405, 501].includes(status)]).toEqual([method, path, true]);
    }
  }
});

test("OPS_TOKEN opens what it is for, and nothing else", async () => {
  await using hub = await startHub({ env: PRODUCTION });
  const headers = { authorization: `Bearer ${PRODUCTION.OPS_TOKEN}`, "content-type": "application/json" };
  expect((await call(hub, "/metrics", { headers })).status).toBe(200);
  expect((await call(hub, "/api/v1/stats", { headers })).status).toBe(200);
  for (const path of ["/api/v1/publish", "/api/v1/worker/messages"]) {
    expect((await call(hub, path, { method: "POST", headers, body: "{}" })).status).toBe(401);
  }
  expect((await call(hub, "/api/v1/worker/messages/1", { headers })).status).toBe(401);
  await using worker = await enter(hub, {
    query: "client_type=worker",
    headers: { "x-worker-secret": PRODUCTION.OPS_TOKEN },
  });
  expect((await worker.nextClose()).code).toBe(1008);
  await using client = await enter(hub);
  expect(await client.nextText()).toBe(OFFLINE);
});
