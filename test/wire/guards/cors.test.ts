import { describe, expect, test } from "bun:test";
import { type Answer, call, expectProblem } from "../../support/api.ts";
import { startHub } from "../../support/hub.ts";
import { enter, knockSse } from "../../support/visitor.ts";

// CORS (PROTOCOL.md section 4; the Fetch standard, section 3.2): what a page of another site may read of the hub.

const ORIGIN = "https://app.example.com";
const LISTED = { ALLOWED_ORIGINS: ORIGIN };
const PATHS = ["/api/v1/events", "/api/v1/worker"] as const;

/** The headers that a browser looks at. */
function corsOf({ headers }: Pick<Answer, "headers">): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"),
  );
}

const READABLE = {
  "access-control-allow-origin": ORIGIN,
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": "retry-after",
  vary: "origin",
};

describe.each(PATHS)("GET %s", (path) => {
  const ask = (hub: Parameters<typeof call>[0], headers = {}, query = "") =>
    path === "/api/v1/events"
      ? knockSse(hub, { headers, query })
      : call(hub, `${path}?${query}`, { headers });

  test("may be read by an allowed origin, with its cookies", async () => {
    await using hub = await startHub({ env: LISTED });
    const answer = await ask(hub, { origin: ORIGIN });
    expect(answer.status).toBe(200);
    expect(corsOf(answer)).toEqual(READABLE);
  });

  test("may be read by every origin, without cookies, where all are allowed", async () => {
    await using hub = await startHub();
    for (const headers of [{ origin: ORIGIN }, { origin: "null" }, {}]) {
      const answer = await ask(hub, headers);
      expect(answer.status).toBe(200);
      expect(corsOf(answer)).toEqual({
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "retry-after",
      });
    }
  });

  test("may not be read by a foreign origin, nor its refusal", async () => {
    await using hub = await startHub({ env: LISTED });
    for (const origin of ["https://evil.example", "null", `${ORIGIN}.evil.example`]) {
      const answer = await ask(hub, { origin });
      expectProblem(answer, 403, "foreign_origin");
      expect(corsOf(answer)).toEqual({ vary: "origin" });
    }
  });

  test("tells caches that the answer depends on the origin, also where there is none", async () => {
    await using hub = await startHub({ env: LISTED });
    const answer = await ask(hub);
    expect(answer.status).toBe(200);
    expect(corsOf(answer)).toEqual({ vary: "origin" });
  });
});

test("an error may be read as well, so that a page knows when to come back", async () => {
  await using hub = await startHub({ env: { ...LISTED, MAX_CONNECTIONS: "1" } });
  const headers = { origin: ORIGIN };
  const malformed = await knockSse(hub, { headers, query: "types=%0A" });
  expectProblem(malformed, 400, "bad_types");
  expect(corsOf(malformed)).toEqual(READABLE);
  await using _client = await enter(hub);
  const full = await knockSse(hub, { headers });
  expectProblem(full, 503, "capacity");
  expect(full.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  expect(corsOf(full)).toEqual(READABLE);
});

describe.each(PATHS)("OPTIONS %s", (path) => {
  const preflight = {
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization,last-event-id",
  };

  test("tells an allowed origin what it may send", async () => {
    await using hub = await startHub({ env: LISTED });
    const answer = await call(hub, path, { method: "OPTIONS", headers: { origin: ORIGIN, ...preflight } });
    expect(answer).toMatchObject({ status: 204, body: "" });
    expect(answer.headers.get("access-control-max-age")).toMatch(/^[1-9]\d*$/);
    expect(corsOf(answer)).toMatchObject({
      ...READABLE,
      "access-control-allow-methods": "GET",
      "access-control-allow-headers": expect.stringMatching(/\bauthorization\b.*\blast-event-id\b/),
    });
  });

  test("allows every origin where all are allowed", async () => {
    await using hub = await startHub();
    const answer = await call(hub, path, { method: "OPTIONS", headers: { origin: ORIGIN, ...preflight } });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });

  test("refuses a foreign one and grants it nothing", async () => {
    await using hub = await startHub({ env: LISTED });
    for (const origin of ["https://evil.example", "null"]) {
      const answer = await call(hub, path, { method: "OPTIONS", headers: { origin, ...preflight } });
      expectProblem(answer, 403, "foreign_origin");
      expect(corsOf(answer)).toEqual({ vary: "origin" });
    }
  });

  test("takes no place", async () => {
    await using hub = await startHub({ env: { ...LISTED, MAX_CONNECTIONS: "1" } });
    for (let count = 0; count < 5; count += 1) {
      const answer = await call(hub, path, { method: "OPTIONS", headers: { origin: ORIGIN, ...preflight } });
      expect(answer.status).toBe(204);
    }
    await using _client = await enter(hub);
  });
});

test.each(["/api/v1/publish", "/api/v1/worker/messages", "/api/v1/stats", "/metrics"])(
  "no page is told that it may send anything to %s",
  async (path) => {
    await using hub = await startHub();
    for (const method of ["OPTIONS", "GET", "POST"]) {
      const answer = await call(hub, path, { method, headers: { origin: ORIGIN } });
      expect(corsOf(answer)).toEqual({});
      if (method === "OPTIONS") expectProblem(answer, 405, "method_not_allowed");
    }
  },
);
