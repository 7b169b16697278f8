import { describe, expect, test } from "bun:test";
import { parseAuthUrl } from "../../../src/protocol/auth-url.ts";

describe("parseAuthUrl", () => {
  test.each([
    ["http://vectra-api:8000/api/v1/auth/me", "http://vectra-api:8000/api/v1/auth/me"],
    ["https://auth.example.com", "https://auth.example.com/"],
    ["https://auth.example.com/check?app=hub", "https://auth.example.com/check?app=hub"],
  ])("takes %s", (text, url) => {
    expect(parseAuthUrl(text)).toEqual({ ok: true, url });
  });

  test.each([
    ["vectra-api:8000/auth", "neither an http nor an https URL"],
    ["/auth", "is no URL"],
    ["", "is no URL"],
    ["http://", "is no URL"],
    ["file:///etc/passwd", "neither an http nor an https URL"],
    ["ws://vectra-api:8000/", "neither an http nor an https URL"],
    ["http://user:pass@vectra-api/", "user name or password"],
    ["http://user@vectra-api/", "user name or password"],
    ["http://vectra-api/#me", "fragment"],
  ])("refuses %p: %s", (text, why) => {
    expect(parseAuthUrl(text)).toMatchObject({ ok: false, why: expect.stringContaining(why) });
  });
});
