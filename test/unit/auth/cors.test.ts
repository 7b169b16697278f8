import { expect, test } from "bun:test";
import type { Authority } from "../../../src/auth/authority.ts";
import { corsHeaders, preflightHeaders } from "../../../src/auth/cors.ts";
import { createOriginCheck } from "../../../src/auth/origin.ts";

const OWN: Authority = { host: "hub.example.com", scheme: undefined };
const APP = "https://app.example.com";
const LISTED = createOriginCheck([APP]);
const ANY = createOriginCheck(["*"]);

test("a listed origin may read with its cookies", () => {
  expect(corsHeaders(LISTED, APP, OWN)).toEqual({
    "access-control-allow-origin": APP,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "retry-after",
    vary: "origin",
  });
});

test.each([null, "null", "https://evil.example", "http://app.example.com", "nonsense"])(
  "%p gets nothing but a word to the caches",
  (origin) => {
    expect(corsHeaders(LISTED, origin, OWN)).toEqual({ vary: "origin" });
  },
);

test.each([null, "null", "https://evil.example"])("with *, %p may read, but not with cookies", (origin) => {
  expect(corsHeaders(ANY, origin, OWN)).toEqual({
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "retry-after",
  });
});

test("the same origin may read where that is the rule", () => {
  const check = createOriginCheck(["same-origin"]);
  expect(corsHeaders(check, "https://hub.example.com", OWN)).toMatchObject({
    "access-control-allow-origin": "https://hub.example.com",
  });
  expect(corsHeaders(check, APP, OWN)).toEqual({ vary: "origin" });
});

test("a preflight says what may be asked", () => {
  expect(preflightHeaders(LISTED, APP, OWN)).toMatchObject({
    "access-control-allow-origin": APP,
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": expect.stringContaining("last-event-id"),
    "access-control-max-age": "600",
  });
  expect(preflightHeaders(ANY, APP, OWN)).toMatchObject({ "access-control-allow-origin": "*" });
});

test("a preflight from elsewhere is refused", () => {
  expect(preflightHeaders(LISTED, "https://evil.example", OWN)).toBeUndefined();
  expect(preflightHeaders(LISTED, "null", OWN)).toBeUndefined();
});

test("an OPTIONS request without an origin is told the methods, and nothing about origins", () => {
  const headers = preflightHeaders(LISTED, null, OWN);
  expect(headers).toMatchObject({ allow: "GET, OPTIONS" });
  expect(headers).not.toHaveProperty("access-control-allow-origin");
});
