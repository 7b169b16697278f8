import { describe, expect, test } from "bun:test";
import type { Authority } from "../../../src/auth/authority.ts";
import { createOriginCheck } from "../../../src/auth/origin.ts";
import { parseOrigins } from "../../../src/protocol/origins.ts";

const NOWHERE: Authority = { host: undefined, scheme: undefined };

function parsed(list: string): readonly string[] {
  const result = parseOrigins(list);
  if (!result.ok) throw new Error(result.why);
  return result.origins;
}

function verdict(list: string, origin: string | null, own: Authority = NOWHERE) {
  return createOriginCheck(parsed(list)).verdict(origin, own);
}

describe("parseOrigins", () => {
  test.each([
    ["*", ["*"]],
    ["same-origin", ["same-origin"]],
    ["https://app.example.com", ["https://app.example.com"]],
    [
      " https://a.example.com , http://b.example.com:8080 ",
      ["https://a.example.com", "http://b.example.com:8080"],
    ],
    ["HTTPS://App.Example.COM:443", ["https://app.example.com"]],
    ["http://app.example.com:80", ["http://app.example.com"]],
    ["https://bücher.example", ["https://xn--bcher-kva.example"]],
    ["http://[::1]:5173", ["http://[::1]:5173"]],
    ["http://127.0.0.1:5173", ["http://127.0.0.1:5173"]],
    ["tauri://localhost", ["tauri://localhost"]],
    ["chrome-extension://abcdefghij", ["chrome-extension://abcdefghij"]],
    ["*.example.com", ["*.example.com"]],
    ["*.Example.com:8443", ["*.example.com:8443"]],
    ["https://*.example.com", ["https://*.example.com"]],
    ["https://*.example.com:443", ["https://*.example.com"]],
    ["http://*.localhost:5173", ["http://*.localhost:5173"]],
    ["*.bücher.example", ["*.xn--bcher-kva.example"]],
    ["same-origin,https://a.example.com,https://a.example.com", ["same-origin", "https://a.example.com"]],
  ])("%p is read as %p", (list, origins) => {
    expect(parsed(list)).toEqual(origins);
    // What is printed by `vectra-hub config` may be set again.
    expect(parsed(parsed(list).join(","))).toEqual(origins);
  });

  test.each([
    ["", "empty entry"],
    ["https://a.example.com,", "empty entry"],
    ["app.example.com", "lacks http:// or https://"],
    ["localhost:5173", "lacks http:// or https://"],
    ["https://app.example.com/", "has a path"],
    ["https://app.example.com/dashboard", "has a path"],
    ["wss://app.example.com", "WebSocket scheme"],
    ["null", "only * lets it in"],
    ["*,https://a.example.com", "the others would not count"],
    ["https://", "no origin"],
    ["https://a b", "no origin"],
    ["https://user@app.example.com", "no origin"],
    ["https://app.example.com?x", "no origin"],
    ["https://app.example.com:", "no origin"],
    ["https://app.example.com:99999", "no origin"],
    ["https://*", "in front of a host"],
    ["https://app.*.com", "in front of a host"],
    ["https://*app.example.com", "in front of a host"],
    ["**.example.com", "in front of a host"],
    ["*.*.example.com", "in front of a host"],
    ["tauri://*.example.com", "in front of a host"],
    ["*.com", "top-level domain"],
    ["https://*.com", "top-level domain"],
    ["*.", "in front of a host"],
    ["*..", "in front of a host"],
    ["*.example.com.", "in front of a host"],
    ["*.example.com:99999", "no host"],
    ["*.exa mple.com", "no host"],
    ["*.example.com:443", "belongs to one scheme"],
    ["*.example.com:80", "belongs to one scheme"],
  ])("%p is refused: %s", (list, why) => {
    const result = parseOrigins(list);
    expect(result).toMatchObject({ ok: false, why: expect.stringContaining(why) });
  });

  test("names the entry that is wrong", () => {
    expect(parseOrigins("https://a.example.com,nonsense")).toMatchObject({
      ok: false,
      why: expect.stringContaining('"nonsense"'),
    });
  });

  test("takes no endless list", () => {
    const list = Array.from({ length: 101 }, (_, i) => `https://h${i}.example.com`);
    expect(parseOrigins(list.join(",")).ok).toBe(false);
    expect(parseOrigins(list.slice(1).join(",")).ok).toBe(true);
  });
});

describe("a check", () => {
  test("does not start with what is no origin", () => {
    expect(() => createOriginCheck(["nonsense"])).toThrow("ALLOWED_ORIGINS");
  });

  test.each(["*", "same-origin", "https://app.example.com", "*.example.com"])(
    "of %p lets in what sends no origin",
    (list) => {
      expect(verdict(list, null)).toBe("missing");
    },
  );

  test("of * lets in everything, null and nonsense included", () => {
    for (const origin of ["https://evil.example", "null", "nonsense", "", "file://"]) {
      expect(verdict("*", origin)).toBe("allowed");
    }
    expect(createOriginCheck(["*"]).allowsAny).toBe(true);
    expect(createOriginCheck(["same-origin"]).allowsAny).toBe(false);
  });

  test.each(["same-origin", "https://app.example.com", "*.example.com"])(
    "of %p refuses null and nonsense",
    (list) => {
      expect(verdict(list, "null", { host: "null", scheme: undefined })).toBe("opaque");
      const nonsense = [
        "",
        "nonsense",
        "NULL",
        "file://",
        "https://",
        "https://app.example.com, https://evil.example",
        "https://evil.example https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com\\evil",
        "https://app.exam\tple.com",
        "https://app.example.com@evil.example",
        "https://evil.example#https://app.example.com",
        "https://evil.example\\.example.com",
        "https://app%2eexample.com",
        "https://*.example.com",
      ];
      for (const origin of nonsense) {
        expect([origin, verdict(list, origin, { host: "app.example.com", scheme: "https" })]).toEqual([
          origin,
          "foreign",
        ]);
      }
    },
  );
});

describe("an exact origin", () => {
  test.each([
    ["https://app.example.com", "https://app.example.com", "allowed"],
    ["https://app.example.com", "https://APP.example.com:443", "allowed"],
    ["https://app.example.com", "http://app.example.com", "foreign"],
    ["https://app.example.com", "https://app.example.com:8443", "foreign"],
    ["https://app.example.com:8443", "https://app.example.com:8443", "allowed"],
    ["https://app.example.com:8443", "https://app.example.com", "foreign"],
    ["https://app.example.com", "https://app.example.com.evil.example", "foreign"],
    ["https://app.example.com", "https://evil-app.example.com", "foreign"],
    ["https://app.example.com", "https://app.example.com.", "foreign"],
    ["https://app.example.com", "https://example.com", "foreign"],
    ["tauri://localhost", "tauri://localhost", "allowed"],
    ["tauri://localhost", "http://localhost", "foreign"],
    ["http://[::1]:5173", "http://[::1]:5173", "allowed"],
  ] as const)("%s, asked by %s: %s", (list, origin, expected) => {
    expect(verdict(list, origin)).toBe(expected);
  });
});

describe("a wildcard", () => {
  test.each([
    ["*.example.com", "https://a.example.com", "allowed"],
    ["*.example.com", "http://a.example.com", "allowed"],
    ["*.example.com", "https://a.b.example.com", "allowed"],
    ["*.example.com", "https://A.EXAMPLE.com", "allowed"],
    ["*.example.com", "https://example.com", "foreign"],
    ["*.example.com", "https://.example.com", "foreign"],
    ["*.example.com", "https://evilexample.com", "foreign"],
    ["*.example.com", "https://a.example.com.evil.example", "foreign"],
    ["*.example.com", "https://a.example.com:8443", "foreign"],
    ["*.example.com", "tauri://a.example.com", "foreign"],
    ["*.example.com:8443", "https://a.example.com:8443", "allowed"],
    ["*.example.com:8443", "http://a.example.com:8443", "allowed"],
    ["*.example.com:8443", "https://a.example.com", "foreign"],
    ["https://*.example.com", "https://a.example.com", "allowed"],
    ["https://*.example.com", "http://a.example.com", "foreign"],
    ["http://*.localhost:5173", "http://tenant.localhost:5173", "allowed"],
    ["http://*.localhost:5173", "http://localhost:5173", "foreign"],
  ] as const)("%s, asked by %s: %s", (list, origin, expected) => {
    expect(verdict(list, origin)).toBe(expected);
  });
});

describe("same-origin", () => {
  test.each([
    ["app.example.com", undefined, "https://app.example.com", "allowed"],
    ["app.example.com", undefined, "http://app.example.com", "allowed"],
    ["App.Example.com", undefined, "https://app.example.com", "allowed"],
    ["app.example.com:443", undefined, "https://app.example.com", "allowed"],
    ["app.example.com:443", undefined, "http://app.example.com", "foreign"],
    ["app.example.com:80", undefined, "http://app.example.com", "allowed"],
    ["app.example.com:8000", undefined, "http://app.example.com:8000", "allowed"],
    ["app.example.com:8000", undefined, "http://app.example.com:5173", "foreign"],
    ["app.example.com:8000", undefined, "http://app.example.com", "foreign"],
    ["app.example.com", undefined, "https://app.example.com:8443", "foreign"],
    ["app.example.com", undefined, "https://evil.example", "foreign"],
    ["app.example.com", undefined, "https://sub.app.example.com", "foreign"],
    ["app.example.com", undefined, "tauri://app.example.com", "foreign"],
    ["app.example.com", "https", "https://app.example.com", "allowed"],
    ["app.example.com", "https", "http://app.example.com", "foreign"],
    ["app.example.com", "http", "https://app.example.com", "foreign"],
    ["[::1]:8000", undefined, "http://[::1]:8000", "allowed"],
    [undefined, undefined, "https://app.example.com", "foreign"],
    ["a, b", undefined, "https://a", "foreign"],
    ["app.example.com/@evil", undefined, "https://app.example.com", "foreign"],
    ["user@app.example.com", undefined, "https://app.example.com", "foreign"],
    ["*", undefined, "https://app.example.com", "foreign"],
  ] as const)("at %p over %p, asked by %s: %s", (host, scheme, origin, expected) => {
    expect(verdict("same-origin", origin, { host, scheme })).toBe(expected);
  });

  test("stands beside others", () => {
    const own: Authority = { host: "hub.example.com", scheme: undefined };
    const list = "same-origin,https://partner.example";
    expect(verdict(list, "https://hub.example.com", own)).toBe("allowed");
    expect(verdict(list, "https://partner.example", own)).toBe("allowed");
    expect(verdict(list, "https://evil.example", own)).toBe("foreign");
  });
});
