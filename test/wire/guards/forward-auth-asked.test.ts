import { describe, expect, test } from "bun:test";
import { expectProblem, publish } from "../../support/api.ts";
import { type AuthEndpoint, hang, startAuthEndpoint, status } from "../../support/auth-endpoint.ts";
import { within } from "../../support/deadline.ts";
import { encodeFrame, OPCODE } from "../../support/frame.ts";
import { encodeRequest } from "../../support/http.ts";
import { type Hub, type HubEnv, startHub } from "../../support/hub.ts";
import { OFFLINE } from "../../support/parties.ts";
import { handshake, openRaw } from "../../support/rawsocket.ts";
import { connectTcp, type Tcp } from "../../support/tcp.ts";
import {
  askWorker,
  enter,
  enterStream,
  knock,
  knockSse,
  untilEntered,
  untilStatus,
} from "../../support/visitor.ts";

// CLIENT_AUTH_URL (PROTOCOL.md section 4): what happens while the service is asked, and what is remembered of its answers.

function startWith(endpoint: AuthEndpoint, env: HubEnv = {}): Promise<Hub> {
  return startHub({ env: { CLIENT_AUTH_URL: endpoint.url, ...env } });
}

/** Holds every answer back until `answer` is called; then all get it, and whoever asks later at once. */
function holdBack(endpoint: AuthEndpoint, code: number) {
  const waiting: (() => void)[] = [];
  const asked = Promise.withResolvers<void>();
  endpoint.reply = (write, end, question) => {
    waiting.push(() => status(code)(write, end, question));
    asked.resolve();
  };
  return {
    /** Resolves with the first question from now on. */
    asked: within(asked.promise, "a question"),
    answer(): void {
      endpoint.reply = status(code);
      for (const send of waiting.splice(0)) send();
    },
  };
}

/** Sends a request whose answer is not waited for. */
async function send(hub: Hub, what: "WebSocket" | "event stream" | "status"): Promise<Tcp> {
  const tcp = await connectTcp(hub.url);
  const path = what === "status" ? "/api/v1/worker" : "/api/v1/events";
  const head = what === "WebSocket" ? handshake(hub.wsUrl()) : { path };
  tcp.write(encodeRequest(new URL(hub.url).host, head));
  return tcp;
}

describe("a client is not let in before the service has said so", () => {
  test("and then gets all that comes from that moment on", async () => {
    await using endpoint = startAuthEndpoint();
    const held = holdBack(endpoint, 204);
    await using hub = await startWith(endpoint);
    const entering = [enter(hub), enterStream(hub)] as const;
    await endpoint.asked();
    await endpoint.asked();
    await publish(hub, '{"type":"BEFORE"}');
    held.answer();
    const [raw, stream] = await Promise.all(entering);
    await using _raw = raw;
    await using _stream = stream;
    expect(await raw.nextText()).toBe(OFFLINE);
    expect(JSON.parse(await stream.nextText())).toMatchObject({ type: "hello", resumed: false });
    expect(JSON.parse(await stream.nextText())).toMatchObject({ type: "live" });
    await publish(hub, '{"type":"AFTER"}');
    expect(await raw.nextText()).toBe('{"type":"AFTER"}');
    expect(await stream.nextText()).toEndWith('"data":{"type":"AFTER"}}');
  });

  test("nor does it get in with a frame that follows on the heels of its handshake", async () => {
    await using endpoint = startAuthEndpoint(hang);
    await using hub = await startWith(endpoint, { MAX_CONNECTIONS: "1", CLIENT_AUTH_TIMEOUT_MS: "600000" });
    const pipelined = encodeFrame({ opcode: OPCODE.text, payload: "ping" });
    // Bun cannot keep what comes before the upgrade (RFC 6455, section 4.1: nothing may come), and says 400.
    await expect(openRaw(hub.wsUrl(), { pipelined })).rejects.toThrow("no upgrade: HTTP/1.1 4");
    endpoint.reply = status(204);
    await untilStatus("a free place", 101, () => knock(hub));
  });
});

describe("a service that takes its time", () => {
  test("is asked once for each handshake, and never again for the same", async () => {
    await using endpoint = startAuthEndpoint();
    const held = holdBack(endpoint, 204);
    await using hub = await startWith(endpoint, { CLIENT_AUTH_TIMEOUT_MS: "600000" });
    const visits = [knock(hub), knockSse(hub), askWorker(hub)];
    for (const _ of visits) await endpoint.asked();
    expect(endpoint.count()).toBe(3);
    held.answer();
    expect((await Promise.all(visits)).map((visit) => visit.status)).toEqual([101, 200, 200]);
    expect(endpoint.count()).toBe(3);
  });

  test("does not hold up the others", async () => {
    await using endpoint = startAuthEndpoint(hang);
    await using hub = await startWith(endpoint, { CLIENT_AUTH_TIMEOUT_MS: "600000" });
    const waiting = await send(hub, "WebSocket");
    await endpoint.asked();
    endpoint.reply = status(204);
    expect((await knock(hub)).status).toBe(101);
    expect((await publish(hub, "{}")).status).toBe(202);
    waiting.reset();
  });

  test("is asked about so many at once; the rest wait for their turn and are answered in time", async () => {
    await using endpoint = startAuthEndpoint(hang);
    await using hub = await startWith(endpoint, { CLIENT_AUTH_TIMEOUT_MS: "1000" });
    const visits = Array.from({ length: 100 }, () => knock(hub));
    for (let count = 0; count < 64; count += 1) await endpoint.asked();
    // A question that came meanwhile would have gone out with the others.
    expect((await fetch(`${hub.url}/healthz`)).status).toBe(200);
    expect(endpoint.count()).toBe(64);
    for (const visit of await Promise.all(visits)) expectProblem(visit, 503, "client_auth_unavailable");
    endpoint.reply = status(204);
    expect((await knock(hub)).status).toBe(101);
  });
});

describe.each(["WebSocket", "event stream", "status"] as const)(
  "whoever leaves while asked about (%s)",
  (what) => {
    test("is asked about no longer, and its place is free", async () => {
      await using endpoint = startAuthEndpoint(hang);
      const env = { MAX_CONNECTIONS: "1", CLIENT_AUTH_TIMEOUT_MS: "600000" };
      await using hub = await startWith(endpoint, env);
      const visitor = await send(hub, what);
      const question = await endpoint.asked();
      endpoint.reply = status(204);
      // While it is asked about, it holds its place.
      if (what !== "status") expectProblem(await knock(hub), 503, "capacity");
      visitor.reset();
      await within(question.ended, "the end of the question");
      await untilStatus("a free place", 101, () => knock(hub));
      await untilStatus("a free place", 200, () => knockSse(hub));
      expect(hub.logs().filter(({ level }) => level === "error")).toEqual([]);
    });
  },
);

test("whoever leaves at the moment of the answer leaves no place taken", async () => {
  const rounds = 20;
  await using endpoint = startAuthEndpoint();
  await using hub = await startWith(endpoint, { MAX_CONNECTIONS: String(rounds) });
  for (let round = 0; round < rounds; round += 1) {
    const held = holdBack(endpoint, 204);
    const visitor = await send(hub, round % 2 === 0 ? "WebSocket" : "event stream");
    await held.asked;
    // In either order: the hub may learn first that it has left, or that it may enter.
    if (round % 4 < 2) held.answer();
    visitor.reset();
    held.answer();
  }
  await using clients = new AsyncDisposableStack();
  for (let count = 0; count < rounds; count += 1) clients.use(await untilEntered(() => enter(hub)));
  expectProblem(await knock(hub), 503, "capacity");
});

describe("a yes", () => {
  const visit = async (hub: Hub, cookie: string): Promise<number> =>
    (await knock(hub, { headers: { cookie } })).status;

  test("is not remembered by default", async () => {
    await using endpoint = startAuthEndpoint();
    await using hub = await startWith(endpoint);
    for (let count = 1; count <= 3; count += 1) {
      expect(await visit(hub, "session=1")).toBe(101);
      expect(endpoint.count()).toBe(count);
    }
    endpoint.reply = status(403);
    expect(await visit(hub, "session=1")).toBe(403);
  });

  test("is remembered for CLIENT_AUTH_CACHE_MS, for these credentials alone", async () => {
    await using endpoint = startAuthEndpoint();
    await using hub = await startWith(endpoint, { CLIENT_AUTH_CACHE_MS: "3600000" });
    expect(await visit(hub, "session=1")).toBe(101);
    endpoint.reply = status(403);
    for (let count = 0; count < 3; count += 1) expect(await visit(hub, "session=1")).toBe(101);
    expect(endpoint.count()).toBe(1);
    expect(await visit(hub, "session=2")).toBe(403);
    expect((await knock(hub, { query: "token=abc", headers: { cookie: "session=1" } })).status).toBe(403);
    expect((await knock(hub)).status).toBe(403);
    expect(endpoint.count()).toBe(4);
  });

  test("is forgotten after that time", async () => {
    await using endpoint = startAuthEndpoint();
    await using hub = await startWith(endpoint, { CLIENT_AUTH_CACHE_MS: "50" });
    expect(await visit(hub, "session=1")).toBe(101);
    endpoint.reply = status(403);
    await untilStatus("a new question", 403, () => knock(hub, { headers: { cookie: "session=1" } }));
    expect(endpoint.count()).toBeGreaterThan(1);
  });
});

test.each([
  ["a no", 403, 403],
  ["a failure", 500, 503],
])("%s is never remembered", async (_, code, answered) => {
  await using endpoint = startAuthEndpoint(status(code));
  await using hub = await startWith(endpoint, { CLIENT_AUTH_CACHE_MS: "3600000" });
  expect((await knock(hub)).status).toBe(answered);
  endpoint.reply = status(204);
  expect((await knock(hub)).status).toBe(101);
});
