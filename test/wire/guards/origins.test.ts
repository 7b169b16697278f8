import { describe, expect, test } from "bun:test";
import { type Answer, expectProblem } from "../../support/api.ts";
import { rawRequest } from "../../support/http.ts";
import { type Hub, type HubEnv, SECRET, startHub } from "../../support/hub.ts";
import { handshake } from "../../support/rawsocket.ts";
import { refusals } from "../../support/scrape.ts";
import { STREAM } from "../../support/streamframe.ts";
import { askWorker, knock, knockSse } from "../../support/visitor.ts";

// ALLOWED_ORIGINS (PROTOCOL.md sections 1 and 4), through every door that a page can use.

type Headers = Readonly<Record<string, string>>;

const DOORS: Record<string, { opens: number; ask: (hub: Hub, headers: Headers) => Promise<Answer> }> = {
  "a raw WebSocket": { opens: 101, ask: (hub, headers) => knock(hub, { headers }) },
  "a stream-framed WebSocket": {
    opens: 101,
    ask: (hub, headers) => knock(hub, { headers: { "sec-websocket-protocol": STREAM, ...headers } }),
  },
  "a worker's WebSocket": {
    opens: 101,
    ask: (hub, headers) => knock(hub, { query: `client_type=worker&token=${SECRET}`, headers }),
  },
  "the event stream": { opens: 200, ask: (hub, headers) => knockSse(hub, { headers }) },
  "GET /api/v1/worker": { opens: 200, ask: (hub, headers) => askWorker(hub, { headers }) },
};

async function expectEntry(hub: Hub, headers: Headers): Promise<void> {
  for (const [door, { opens, ask }] of Object.entries(DOORS)) {
    const { status } = await ask(hub, headers);
    expect({ door, headers, status }).toEqual({ door, headers, status: opens });
  }
}

async function expectRefusal(hub: Hub, headers: Headers): Promise<void> {
  const before = await refusals(hub, "origin");
  for (const { ask } of Object.values(DOORS)) expectProblem(await ask(hub, headers), 403, "foreign_origin");
  expect(await refusals(hub, "origin")).toBe(before + Object.keys(DOORS).length);
}

interface Case {
  readonly env: HubEnv;
  readonly enter: readonly string[];
  readonly stayOut: readonly string[];
}

const CASES: Record<string, Case> = {
  "by default, in development": {
    env: {},
    enter: ["https://anywhere.example", "http://localhost:5173", "null", "app://desktop"],
    stayOut: [],
  },
  "as exact origins": {
    env: { ALLOWED_ORIGINS: "https://app.example.com, https://admin.example.com:8443" },
    enter: [
      "https://app.example.com",
      "https://app.example.com:443",
      "HTTPS://APP.example.com",
      "https://admin.example.com:8443",
    ],
    stayOut: [
      "null",
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://admin.example.com",
      "https://example.com",
      "https://x.app.example.com",
    ],
  },
  "as a wildcard": {
    env: { ALLOWED_ORIGINS: "*.example.com" },
    enter: ["https://a.example.com", "http://a.example.com", "https://a.b.example.com"],
    stayOut: [
      "null",
      "https://example.com",
      "https://notexample.com",
      "https://a.example.com.evil.example",
      "https://a.example.com:8443",
      "ftp://a.example.com",
    ],
  },
  "as a wildcard of one scheme and port": {
    env: { ALLOWED_ORIGINS: "https://*.example.com:8443" },
    enter: ["https://a.example.com:8443"],
    stayOut: ["http://a.example.com:8443", "https://a.example.com", "https://example.com:8443"],
  },
};

test.each(Object.keys(CASES))(
  "ALLOWED_ORIGINS %s lets in whom it names, who names no origin, and nobody else",
  async (name) => {
    const { env, enter, stayOut } = CASES[name] as Case;
    await using hub = await startHub({ env });
    for (const origin of enter) await expectEntry(hub, { origin });
    await expectEntry(hub, {});
    for (const origin of stayOut) await expectRefusal(hub, { origin });
  },
);

describe.each([
  ["the default in production", { ENV: "production" }],
  ["same-origin", { ALLOWED_ORIGINS: "same-origin" }],
])("%s", (_, env) => {
  test("lets in pages of the host and port that they talk to", async () => {
    await using hub = await startHub({ env });
    const { port } = new URL(hub.url);
    const knockAs = async (host: string, origin: string): Promise<number> => {
      const head = handshake(hub.wsUrl(), { origin });
      return (await rawRequest(hub.url, { ...head, host })).status;
    };
    const same: [host: string, origin: string][] = [
      [`127.0.0.1:${port}`, `http://127.0.0.1:${port}`],
      [`localhost:${port}`, `http://localhost:${port}`],
      [`[::1]:${port}`, `http://[::1]:${port}`],
      // Behind a proxy that speaks TLS and hands the Host on: the hub cannot know the scheme.
      ["app.example.com", "https://app.example.com"],
      ["app.example.com", "http://app.example.com"],
      ["app.example.com:443", "https://app.example.com"],
      ["APP.example.com", "https://app.example.com"],
    ];
    const other: [host: string, origin: string][] = [
      [`127.0.0.1:${port}`, "http://127.0.0.1"],
      [`127.0.0.1:${port}`, `http://127.0.0.1:${Number(port) + 1}`],
      [`127.0.0.1:${port}`, `http://localhost:${port}`],
      ["app.example.com", "https://app.example.com:8443"],
      ["app.example.com:8443", "https://app.example.com"],
      ["app.example.com", "https://evil.example"],
      ["app.example.com", "https://app.example.com.evil.example"],
      ["app.example.com", "null"],
      ["null", "null"],
    ];
    for (const [host, origin] of same) {
      expect([host, origin, await knockAs(host, origin)]).toEqual([host, origin, 101]);
    }
    for (const [host, origin] of other) {
      expect([host, origin, await knockAs(host, origin)]).toEqual([host, origin, 403]);
    }
    expect((await knock(hub)).status).toBe(101);
  });
});

describe("what a proxy says in place of Host", () => {
  const origin = "https://app.example.com";
  const forwarded = { origin, "x-forwarded-host": "app.example.com" };

  test("does not count as long as no proxy is trusted", async () => {
    await using hub = await startHub({ env: { ALLOWED_ORIGINS: "same-origin" } });
    await expectRefusal(hub, forwarded);
  });

  test("counts from a trusted one, scheme included", async () => {
    await using hub = await startHub({ env: { ALLOWED_ORIGINS: "same-origin", TRUST_PROXY: "1" } });
    await expectEntry(hub, forwarded);
    await expectEntry(hub, { ...forwarded, "x-forwarded-proto": "https" });
    await expectRefusal(hub, { ...forwarded, "x-forwarded-proto": "http" });
    await expectRefusal(hub, { ...forwarded, "x-forwarded-host": "app.example.com:8443" });
    await expectRefusal(hub, { origin });
  });

  test("counts in the entry of the proxy, not in one that the client put before it", async () => {
    await using hub = await startHub({ env: { ALLOWED_ORIGINS: "same-origin", TRUST_PROXY: "1" } });
    await expectRefusal(hub, { origin, "x-forwarded-host": "app.example.com, hub.example.com" });
    await expectEntry(hub, { origin, "x-forwarded-host": "evil.example, app.example.com" });
  });
});

test("a backend is no page: what takes the secret does not look at the origin", async () => {
  await using hub = await startHub({ env: { ALLOWED_ORIGINS: "https://app.example.com" } });
  const answer = await fetch(`${hub.url}/api/v1/publish`, {
    method: "POST",
    headers: {
      origin: "https://evil.example",
      "x-worker-secret": SECRET,
      "content-type": "application/json",
    },
    body: "{}",
  });
  expect(answer.status).toBe(202);
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
});
