import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { call } from "../support/api.ts";
import { browserOfFile, browserTest } from "../support/browser.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { openConsole } from "./console.ts";

// How the hub serves the console: headers, caches, methods, settings.

let hub: Hub;
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

/** The paths of what the page consists of. */
function partsOf(page: string): string[] {
  return [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
}

describe("every part", () => {
  test("has a type, a policy and a name for its content, and together they are below 60 kB", async () => {
    const page = await call(hub, "/");
    const paths = new Set(partsOf(page.body));
    expect([...paths].map((path) => path.replace(/-[a-z0-9]+\./, "-*.")).sort()).toEqual([
      "console/chunk-*.css",
      "console/chunk-*.js",
      "console/icon-*.svg",
    ]);
    let sizeBytes = Buffer.byteLength(page.body);
    const types: string[] = [];
    for (const path of paths) {
      const part = await call(hub, `/${path}`);
      expect(part.status).toBe(200);
      expect(part.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expectGuarded(part.headers);
      types.push(part.headers.get("content-type") ?? "");
      sizeBytes += Buffer.byteLength(part.body);
    }
    expect(types.sort()).toEqual([
      "image/svg+xml",
      "text/css; charset=utf-8",
      "text/javascript; charset=utf-8",
    ]);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("private, no-cache");
    expectGuarded(page.headers);
    expect(sizeBytes).toBeLessThan(60_000);
  });

  test("is answered 304 to who has it, and in full to who has another", async () => {
    const page = await call(hub, "/");
    const [script = ""] = partsOf(page.body);
    for (const path of ["/", `/${script}`]) {
      const etag = (await call(hub, path)).headers.get("etag") ?? "";
      expect(etag).toMatch(/^"[\w-]{22}"$/);
      const known = await call(hub, path, { headers: { "if-none-match": `"other", W/${etag}` } });
      expect([known.status, known.body, known.headers.get("etag")]).toEqual([304, "", etag]);
      expectGuarded(known.headers);
      expect((await call(hub, path, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
    }
  });
});

function expectGuarded(headers: Headers): void {
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy.split("; ")).toEqual(
    expect.arrayContaining([
      ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
      ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    ]),
  );
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
}

test("who takes gzip gets it, with a tag of its own, and others do not", async () => {
  const get = (encoding: string): Promise<Response> =>
    fetch(hub.url, { headers: { "accept-encoding": encoding }, decompress: false });
  const [zipped, plain] = [await get("br, gzip;q=0.5"), await get("gzip;q=0, br")];
  expect(zipped.headers.get("content-encoding")).toBe("gzip");
  expect(plain.headers.get("content-encoding")).toBeNull();
  for (const { headers } of [zipped, plain]) expect(headers.get("vary")).toBe("accept-encoding");
  expect(zipped.headers.get("etag")).not.toBe(plain.headers.get("etag"));
  expect(Buffer.from(Bun.gunzipSync(await zipped.arrayBuffer())).toString()).toBe(await plain.text());
});

test("HEAD has the headers of GET, and other methods are refused", async () => {
  const [get, head] = [await call(hub, "/"), await call(hub, "/", { method: "HEAD" })];
  expect([head.status, head.body]).toEqual([200, ""]);
  for (const name of ["content-type", "etag", "content-security-policy", "content-length"])
    expect(head.headers.get(name)).toBe(get.headers.get(name));
  const post = await call(hub, "/", { method: "POST", body: "x" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect((await call(hub, "/console/other.js")).status).toBe(404);
  expect((await call(hub, "/console/..%2fmain.ts")).status).toBe(404);
});

test.each([
  ["development", "", 200],
  ["development", "false", 404],
  ["production", "", 404],
  ["production", "true", 200],
])("in %s with CONSOLE=%s it is answered %d", async (ENV, CONSOLE, status) => {
  await using other = await startHub({ env: { ENV, CONSOLE } });
  expect((await call(other, "/")).status).toBe(status);
});

test("who is refused as a client is refused the page", async () => {
  await using auth = Bun.serve({ port: 0, fetch: () => new Response(null, { status: 403 }) });
  await using other = await startHub({ env: { CLIENT_AUTH_URL: auth.url.href } });
  expect((await call(other, "/")).status).toBe(403);
});

describe("in a browser", () => {
  const launched = browserOfFile();

  browserTest("it is live in production, at other paths, with the operators on their own port", async () => {
    await using other = await startHub({
      env: { ENV: "production", CONSOLE: "true", WS_PATHS: "/live/stream,/x", OPS_PORT: "0" },
    });
    await using page = await openConsole(await launched(), other);
    await page.unlock();
    await page.shows("stats-note", "OPS_PORT");
    expect(page.requests().filter((url) => !url.replace(/^ws/, "http").startsWith(other.url))).toEqual([]);
    page.expectNoComplaints();
  });

  browserTest(
    "behind a proxy that puts a prefix in front, and blocks WebSockets, it is live over SSE",
    async () => {
      const target = hub.url;
      await using proxy = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        idleTimeout: 0,
        fetch(request) {
          const { pathname, search } = new URL(request.url);
          if (!pathname.startsWith("/hub/") || request.headers.has("upgrade"))
            return new Response(null, { status: 404 });
          return fetch(`${target}${pathname.slice("/hub".length)}${search}`, {
            headers: { accept: request.headers.get("accept") ?? "*/*" },
            signal: request.signal,
            decompress: false,
          });
        },
      });
      await using page = await openConsole(await launched(), { url: `${proxy.url.origin}/hub/` });
      await page.shows("page-transport", "Server-Sent Events");
      expect(page.requests().every((url) => new URL(url).pathname.startsWith("/hub/"))).toBe(true);
    },
  );
});
