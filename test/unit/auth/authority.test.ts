import { describe, expect, test } from "bun:test";
import { authorityOf } from "../../../src/auth/authority.ts";

const FORWARDED = { host: "hub:8000", "x-forwarded-host": "app.example.com", "x-forwarded-proto": "https" };

function read(headers: Record<string, string>, trustedProxies = 0, tls = false) {
  return authorityOf(new Headers(headers), { trustedProxies, tls });
}

describe("without a trusted proxy", () => {
  test("only Host counts", () => {
    expect(read(FORWARDED)).toEqual({ host: "hub:8000", scheme: undefined });
  });

  test("the scheme is known where the hub itself speaks TLS", () => {
    expect(read({ ...FORWARDED, "x-forwarded-proto": "http" }, 0, true)).toEqual({
      host: "hub:8000",
      scheme: "https",
    });
  });

  test("a request may name no host", () => {
    expect(read({})).toEqual({ host: undefined, scheme: undefined });
    expect(read({ host: "" }).host).toBeUndefined();
  });
});

describe("behind a trusted proxy", () => {
  test("what it says counts", () => {
    expect(read(FORWARDED, 1)).toEqual({ host: "app.example.com", scheme: "https" });
  });

  test("Host counts where it says nothing", () => {
    expect(read({ host: "app.example.com" }, 1)).toEqual({ host: "app.example.com", scheme: undefined });
    expect(read({ host: "app.example.com", "x-forwarded-host": " " }, 1).host).toBe("app.example.com");
  });

  test("TLS between the proxy and the hub says nothing about the client", () => {
    expect(read({ host: "app.example.com" }, 1, true).scheme).toBeUndefined();
  });

  test("what a client put in front of its entry does not count", () => {
    const headers = {
      "x-forwarded-host": "evil.example, app.example.com",
      "x-forwarded-proto": "http,https",
    };
    expect(read(headers, 1)).toEqual({ host: "app.example.com", scheme: "https" });
  });

  test("the outermost of several that append is believed, and so is the only one of several that set", () => {
    const appended = "evil.example, app.example.com, inner";
    expect(read({ "x-forwarded-host": appended }, 2).host).toBe("app.example.com");
    expect(read({ "x-forwarded-host": "app.example.com" }, 2).host).toBe("app.example.com");
  });

  test.each([
    ["https", "https"],
    ["HTTPS", "https"],
    ["wss", "https"],
    ["http", "http"],
    ["ws", "http"],
    ["gopher", undefined],
    ["", undefined],
  ] as const)("reads X-Forwarded-Proto %p", (proto, scheme) => {
    expect(read({ host: "h", "x-forwarded-proto": proto }, 1).scheme).toBe(scheme);
  });
});
