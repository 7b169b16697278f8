import { describe, expect, test } from "bun:test";
import { expectProblem } from "../../support/api.ts";
import { rawRequest } from "../../support/http.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { handshake } from "../../support/rawsocket.ts";
import { knock, knockSse } from "../../support/visitor.ts";

// Spellings by which a page of another site might pass for one of ours.

const ORIGIN = "https://app.example.com";

const FOREIGN: readonly string[] = [
  "null",
  "NULL",
  "file://",
  "",
  " ",
  "*",
  "https://*.example.com",
  "https://evil.example",
  "https://app.example.com.evil.example",
  "https://evil.example/https://app.example.com",
  "https://evil.example?https://app.example.com",
  "https://evil.example#https://app.example.com",
  "https://app.example.com@evil.example",
  "https://app.example.com:443@evil.example",
  "https://evil.example\\.app.example.com",
  "https://app.example.com%2eevil.example",
  "https://app.example.com:8443",
  "https://app.example.com:0443x",
  "https://app.example.com.",
  "https://app-example.com",
  "https://appXexample.com",
  "http://app.example.com",
  "https:app.example.com",
  "//app.example.com",
  "app.example.com",
  "https://app.example.com/",
  "https://app.example.com https://evil.example",
  "https://app.example.com, https://evil.example",
  "https://evil.example, https://app.example.com",
  "javascript:https://app.example.com",
  "data:text/html,https://app.example.com",
  "https://аpp.example.com",
  "https://xn--pp-7cd.example.com",
  `https://${"a".repeat(4_000)}.example.com`,
];

async function expectRefused(hub: Hub, origin: string): Promise<void> {
  for (const answer of [
    await knock(hub, { headers: { origin } }),
    await knockSse(hub, { headers: { origin } }),
  ]) {
    expect([origin, answer.status]).toEqual([origin, 403]);
    expectProblem(answer, 403, "foreign_origin");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  }
}

test("no spelling of a foreign origin gets in", async () => {
  await using hub = await startHub({ env: { ALLOWED_ORIGINS: ORIGIN } });
  for (const origin of FOREIGN) await expectRefused(hub, origin);
  expect((await knock(hub, { headers: { origin: ORIGIN } })).status).toBe(101);
});

test("nor past a wildcard", async () => {
  await using hub = await startHub({ env: { ALLOWED_ORIGINS: "https://*.app.example.com" } });
  for (const origin of [...FOREIGN, ORIGIN, "https://.app.example.com", "https://evilapp.example.com"]) {
    await expectRefused(hub, origin);
  }
  expect((await knock(hub, { headers: { origin: "https://x.app.example.com" } })).status).toBe(101);
});

describe("in production, where the same origin is let in,", () => {
  test("the page's own word for where it came from counts for nothing", async () => {
    await using hub = await startHub({ env: { ENV: "production" } });
    const origin = "https://evil.example";
    const lies = {
      "x-forwarded-host": "evil.example",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "https",
      "x-original-host": "evil.example",
      forwarded: "host=evil.example;proto=https",
      referer: `${hub.url}/`,
      "sec-fetch-site": "same-origin",
      "sec-websocket-origin": hub.url,
    };
    const answer = await knock(hub, { headers: { origin, ...lies } });
    expectProblem(answer, 403, "foreign_origin");
    expect(answer.body).not.toContain("evil.example");
  });

  test("two Origin headers are none that is allowed", async () => {
    await using hub = await startHub({ env: { ENV: "production" } });
    const { path, headers = [] } = handshake(hub.wsUrl());
    const pairs = [
      [hub.url, "https://evil.example"],
      ["https://evil.example", hub.url],
      [hub.url, "null"],
    ];
    for (const [first = "", second = ""] of pairs) {
      const head = { path, headers: [...headers, ["Origin", first], ["origin", second]] as const };
      expectProblem(await rawRequest(hub.url, head), 403, "foreign_origin");
    }
  });

  test("two Host headers let nobody in", async () => {
    await using hub = await startHub({ env: { ENV: "production" } });
    const { path, headers = [] } = handshake(hub.wsUrl());
    const origin = "https://evil.example";
    const head = { path, headers: [...headers, ["Host", "evil.example"], ["Origin", origin]] as const };
    expect((await rawRequest(hub.url, head)).status).not.toBe(101);
    expect((await rawRequest(hub.url, { ...head, host: "evil.example, x" })).status).not.toBe(101);
  });

  test("a Host that is no host is the same as no origin at all", async () => {
    await using hub = await startHub({ env: { ENV: "production" } });
    const head = handshake(hub.wsUrl(), { origin: "https://evil.example" });
    for (const host of [
      "evil.example/",
      "evil.example?",
      "evil.example#",
      "x@evil.example",
      "evil.example:",
      "evil.example\\",
    ]) {
      const { status } = await rawRequest(hub.url, { ...head, host });
      expect([host, [400, 403].includes(status)]).toEqual([host, true]);
    }
  });
});
