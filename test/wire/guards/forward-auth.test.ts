import { describe, expect, test } from "bun:test";
import { expectProblem } from "../../support/api.ts";
import {
  type AuthEndpoint,
  hang,
  hangUp,
  megabyte,
  type Question,
  type Reply,
  redirect,
  startAuthEndpoint,
  status,
} from "../../support/auth-endpoint.ts";
import { type Hub, type HubEnv, SECRET, startHub } from "../../support/hub.ts";
import { joinWorker, OFFLINE } from "../../support/parties.ts";
import { lastingPort } from "../../support/port.ts";
import { refusals } from "../../support/scrape.ts";
import { askWorker, enter, enterStream, knock, knockSse } from "../../support/visitor.ts";

// CLIENT_AUTH_URL (PROTOCOL.md section 4, "Clients"): whom the authentication service lets in, and what it is asked.

const RETRY_AFTER = /^[1-9]\d*$/;

function startWith(endpoint: { readonly url: string }, env: HubEnv = {}): Promise<Hub> {
  return startHub({ env: { CLIENT_AUTH_URL: endpoint.url, ...env } });
}

/** Each way in, one after the other, must be open. */
async function expectEntry(hub: Hub): Promise<void> {
  await using raw = await enter(hub);
  expect(await raw.nextText()).toBe(OFFLINE);
  await using stream = await enterStream(hub);
  expect(JSON.parse(await stream.nextText())).toMatchObject({ type: "hello" });
  expect((await knockSse(hub)).status).toBe(200);
  expect((await askWorker(hub)).status).toBe(200);
}

/** Each way in must be shut: with a problem before the upgrade, and with a close code for who speaks stream framing. */
async function expectRefusal(hub: Hub, code: "client_refused" | "client_auth_unavailable"): Promise<void> {
  const httpStatus = code === "client_refused" ? 403 : 503;
  for (const answer of [await knock(hub), await knockSse(hub), await askWorker(hub)]) {
    expectProblem(answer, httpStatus, code);
    const retryAfter = answer.headers.get("retry-after");
    if (httpStatus === 503) expect(retryAfter).toMatch(RETRY_AFTER);
    else expect(retryAfter).toBeNull();
  }
  await using stream = await enterStream(hub);
  expect(await stream.nextClose()).toEqual({
    code: httpStatus === 403 ? 1008 : 1013,
    reason: expect.stringMatching(/./),
  });
  const reason = httpStatus === 403 ? "client_auth" : "client_auth_unavailable";
  expect(await refusals(hub, reason)).toBe(4);
}

describe("lets in", () => {
  const replies: Record<string, Reply> = {
    "on 200": status(200),
    "on 204": status(204),
    "on 299": status(299),
    "on 200 with a megabyte that nobody reads": megabyte(200),
    "on 200 with a body that never ends": (write) =>
      write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nx"),
    "on 200 in packed form that is none": (write) =>
      write("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"),
  };
  test.each(Object.keys(replies))("%s", async (name) => {
    await using endpoint = startAuthEndpoint(replies[name]);
    await using hub = await startWith(endpoint);
    await expectEntry(hub);
    expect(endpoint.count()).toBe(4);
  });
});

describe("keeps out, for good,", () => {
  const replies: Record<string, (endpoint: () => AuthEndpoint) => Reply> = {
    "on 401": () => status(401, "www-authenticate: Basic\r\n"),
    "on 403": () => status(403),
    "on a redirect to a page for signing in": (endpoint) => redirect(302, () => endpoint().url),
    "on a redirect round and round": (endpoint) => redirect(307, () => endpoint().url),
    "on a redirect without an address": () => status(301),
    "on 304": () => status(304),
    "on 403 with a megabyte": () => megabyte(403),
  };
  test.each(Object.keys(replies))("%s, which it follows nowhere", async (name) => {
    await using endpoint: AuthEndpoint = startAuthEndpoint();
    endpoint.reply = replies[name]?.(() => endpoint) ?? hang;
    await using hub = await startWith(endpoint);
    await expectRefusal(hub, "client_refused");
    expect(endpoint.count()).toBe(4);
  });
});

describe("keeps out, for now,", () => {
  const replies: Record<string, Reply> = {
    "on 500": status(500),
    "on 503": status(503),
    "on 404": status(404),
    "on 429": status(429),
    "on 500 with a megabyte": megabyte(500),
    "without an answer in time": hang,
    "on an answer that has no end of its head": (write) => write("HTTP/1.1 200 OK\r\nx: "),
    "on what is no HTTP": (write) => write("220 smtp.example ESMTP\r\n"),
    "on a connection that is closed": hangUp,
  };
  test.each(Object.keys(replies))("%s", async (name) => {
    await using endpoint = startAuthEndpoint(replies[name]);
    await using hub = await startWith(endpoint, { CLIENT_AUTH_TIMEOUT_MS: "300" });
    await expectRefusal(hub, "client_auth_unavailable");
    endpoint.reply = status(200);
    await expectEntry(hub);
  });

  test("where nobody listens", async () => {
    await using hub = await startHub({ env: { CLIENT_AUTH_URL: `http://127.0.0.1:${lastingPort()}/auth` } });
    await expectRefusal(hub, "client_auth_unavailable");
  });
});

describe("the question", () => {
  /** What the service is asked about a visitor. */
  async function askedBy(visit: (hub: Hub) => Promise<unknown>, env: HubEnv = {}): Promise<Question> {
    await using endpoint = startAuthEndpoint();
    await using hub = await startWith(endpoint, env);
    await visit(hub);
    const question = await endpoint.asked();
    expect(endpoint.count()).toBe(1);
    return question;
  }

  const ways: Record<string, { path: string; visit: typeof knock | typeof askWorker }> = {
    "a WebSocket": { path: "/ws", visit: knock },
    "the event stream": { path: "/api/v1/events", visit: knockSse },
    "GET /api/v1/worker": { path: "/api/v1/worker", visit: askWorker },
  };
  describe.each(Object.keys(ways))("of %s", (name) => {
    const { path, visit } = ways[name] as (typeof ways)[string];

    test("is one GET with the cookie, the authorization and who the client is, and nothing else of it", async () => {
      const headers = {
        cookie: "session=4711; theme=dark",
        authorization: "Basic dXNlcjpwYXNz",
        "user-agent": "a browser",
        "x-api-key": "not yours",
        origin: "https://app.example.com",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-host": "admin.internal",
        "x-original-url": "/admin",
      };
      const {
        method,
        target,
        headers: sent,
      } = await askedBy((hub) => visit(hub, { headers, query: "since=1" }));
      expect({ method, target }).toEqual({ method: "GET", target: "/may-enter?tenant=7" });
      const { host, "user-agent": agent, accept, connection, ...rest } = Object.fromEntries(sent);
      expect(host).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(agent).toMatch(/^vectra-hub\//);
      expect({ accept, connection }).toEqual({ accept: "*/*", connection: "keep-alive" });
      expect(rest).toEqual({
        cookie: headers.cookie,
        authorization: headers.authorization,
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-uri": path,
      });
    });

    test("has the token as a bearer token, decoded", async () => {
      const { headers } = await askedBy((hub) => visit(hub, { query: "token=eyJ.a%2Bb%2F.c%3D%3D" }));
      expect(headers.get("authorization")).toBe("Bearer eyJ.a+b/.c==");
    });

    test("has the header rather than the token", async () => {
      const headers = { authorization: "Bearer from-the-header" };
      const question = await askedBy((hub) => visit(hub, { headers, query: "token=from-the-query" }));
      expect(question.headers.get("authorization")).toBe("Bearer from-the-header");
    });

    test("is asked about who shows nothing, too", async () => {
      const { headers } = await askedBy((hub) => visit(hub));
      expect([headers.get("cookie"), headers.get("authorization")]).toEqual([null, null]);
    });

    const previous = "the-one-before-the-present-one-5b1c";
    test.each([SECRET, previous])("never holds the worker secret, wherever it stood (%#)", async (secret) => {
      const { headers } = await askedBy(
        (hub) =>
          visit(hub, {
            // To GET /api/v1/worker the secret is a key: there it stands in the token alone.
            headers: name === "GET /api/v1/worker" ? {} : { authorization: `Bearer ${secret}` },
            query: `token=${secret}`,
          }),
        { WORKER_SECRET_PREVIOUS: previous },
      );
      expect(JSON.stringify([...headers])).not.toContain(secret);
      expect(headers.get("authorization")).toBeNull();
    });
  });

  test("has no x-worker-secret header", async () => {
    const { headers } = await askedBy((hub) => knock(hub, { headers: { "x-worker-secret": SECRET } }));
    expect(JSON.stringify([...headers])).not.toContain(SECRET);
  });

  test("names the client that a trusted proxy names", async () => {
    const headers = { "x-forwarded-for": "198.51.100.1, 203.0.113.7" };
    const question = await askedBy((hub) => knock(hub, { headers }), { TRUST_PROXY: "1" });
    expect(question.headers.get("x-forwarded-for")).toBe("203.0.113.7");
  });

  test.each(["a%0d%0ax-admin:%20yes", "%00", "a%20b", "%C3%A9", "%F0%9F%94%91"])(
    "is not asked with a token that no header can carry: %s",
    async (token) => {
      await using endpoint = startAuthEndpoint();
      await using hub = await startWith(endpoint);
      expectProblem(await knock(hub, { query: `token=${token}` }), 403, "client_refused");
      expectProblem(await knockSse(hub, { query: `token=${token}` }), 403, "client_refused");
      expect(endpoint.count()).toBe(0);
    },
  );
});

test("nobody is asked about a worker, a backend, or whoever is turned away before", async () => {
  await using endpoint = startAuthEndpoint(status(403));
  await using hub = await startWith(endpoint, { ALLOWED_ORIGINS: "https://app.example.com" });
  await using _worker = await joinWorker(hub);
  expect((await askWorker(hub, { headers: { "x-worker-secret": SECRET } })).status).toBe(200);
  expect((await askWorker(hub, { headers: { authorization: `Bearer ${SECRET}` } })).status).toBe(200);
  expect((await fetch(`${hub.url}/healthz`)).status).toBe(200);
  expectProblem(await knock(hub, { headers: { origin: "https://evil.example" } }), 403, "foreign_origin");
  expectProblem(await knock(hub, { query: "types=," }), 400, "bad_types");
  await using stranger = await enter(hub, { query: "client_type=admin" });
  expect((await stranger.nextClose()).code).toBe(1008);
  expect(endpoint.count()).toBe(0);
});
