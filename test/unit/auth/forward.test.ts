import { describe, expect, test } from "bun:test";
import {
  type Credentials,
  createForwardAuth,
  FORWARD_CACHED_MAX,
  FORWARD_RUNNING_MAX,
  FORWARD_WAITING_MAX,
  parseAuthUrl,
} from "../../../src/auth/forward.ts";
import { createSecretCheck } from "../../../src/auth/secret.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";

const SECRET = "7f3a9c52e8d14b06a1f5c3e97b20d8461";
const URL_ASKED = "http://api.internal/auth/me?strict=1";
const TIMEOUT_MS = 3_000;

interface Call {
  readonly url: string;
  readonly init: BunFetchRequestInit;
  readonly headers: Headers;
  answer(status: number, body?: string): void;
  fail(error: unknown): void;
}

/** An endpoint that answers when the test says so, and a signal ends the request as it does with the real fetch. */
function make({ cacheMs = 0 } = {}) {
  const runtime = createFakeRuntime();
  const calls: Call[] = [];
  const auth = createForwardAuth({
    url: URL_ASKED,
    timeoutMs: TIMEOUT_MS,
    cacheMs,
    checkSecret: createSecretCheck([SECRET]),
    runtime,
    fetch(url, init) {
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      const headers = new Headers(init.headers);
      const answer = (status: number, body?: string): void =>
        resolve(new Response(body ?? null, { status, headers: { location: "http://elsewhere/" } }));
      calls.push({ url, init, headers, answer, fail: reject });
      return promise;
    },
  });
  return { runtime, calls, auth };
}

function client(about: Partial<Credentials> = {}): Credentials {
  return { cookie: null, authorization: null, token: null, address: "192.0.2.1", path: "/ws", ...about };
}

/** What the endpoint is sent for these credentials; undefined where it is not asked. */
async function sent(about: Partial<Credentials>): Promise<Record<string, string> | undefined> {
  const { auth, calls } = make();
  const verdict = auth.check(client(about));
  // The question is asked once a slot has been got, which takes a turn of the microtask queue.
  await Bun.sleep(0);
  calls[0]?.answer(204);
  await verdict;
  return calls[0] === undefined ? undefined : calls[0].headers.toJSON();
}

describe("what is asked", () => {
  test("one GET at the address given, without following redirects", async () => {
    const { auth, calls } = make();
    const verdict = auth.check(client({ cookie: "session=1" }));
    await Bun.sleep(0);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ url: URL_ASKED, init: { redirect: "manual", decompress: false } });
    expect(calls[0]?.init.method ?? "GET").toBe("GET");
    calls[0]?.answer(200);
    await verdict;
    expect(calls).toHaveLength(1);
  });

  test("with cookie and authorization as they came, and who the client is", async () => {
    const headers = await sent({ cookie: "a=1; b=2", authorization: "Basic dTpw", path: "/api/v1/events" });
    expect(headers).toEqual({
      cookie: "a=1; b=2",
      authorization: "Basic dTpw",
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-uri": "/api/v1/events",
      "user-agent": expect.stringMatching(/^vectra-hub\//),
    });
  });

  test("with the token as a bearer token", async () => {
    expect(await sent({ token: "eyJ.abc-_~+/=" })).toMatchObject({ authorization: "Bearer eyJ.abc-_~+/=" });
  });

  test("with an explicit Authorization rather than the token", async () => {
    expect(await sent({ authorization: "Bearer a", token: "b" })).toMatchObject({
      authorization: "Bearer a",
    });
  });

  test("even where the client shows nothing: the endpoint decides", async () => {
    const headers = await sent({ cookie: "", authorization: "", token: "" });
    expect(Object.keys(headers ?? {}).sort()).toEqual(["user-agent", "x-forwarded-for", "x-forwarded-uri"]);
  });

  test("without an address where there is none", async () => {
    expect(await sent({ address: "unknown" })).not.toHaveProperty("x-forwarded-for");
  });

  test.each([
    { token: SECRET },
    { authorization: `Bearer ${SECRET}` },
    { authorization: `bearer   ${SECRET}` },
    { authorization: SECRET },
    { authorization: `Bearer ${SECRET}`, token: SECRET },
  ])("never with the worker secret: %p", async (about) => {
    const headers = await sent(about);
    expect(headers).toBeDefined();
    expect(JSON.stringify(headers)).not.toContain(SECRET);
  });

  test.each(["a\r\nx-worker-secret: b", "a\nb", "a b", "a\0", "ü", "😀", "\x7f", "\t"])(
    "nothing, for the token %p: it is refused",
    async (token) => {
      const { auth, calls } = make();
      expect(await auth.check(client({ token }))).toMatchObject({ code: "refused" });
      expect(calls).toHaveLength(0);
    },
  );
});

describe("what an answer means", () => {
  test.each([
    ...[200, 201, 204, 206, 299].map((status) => [status, "allowed"] as const),
    ...[300, 301, 302, 303, 304, 307, 308, 399, 401, 403].map((status) => [status, "refused"] as const),
    ...[400, 402, 404, 405, 407, 418, 429, 500, 502, 503, 504, 599].map(
      (status) => [status, "unavailable"] as const,
    ),
  ])("%d: %s", async (status, code) => {
    const { auth, calls } = make();
    const verdict = auth.check(client());
    await Bun.sleep(0);
    calls[0]?.answer(status);
    expect(await verdict).toEqual({ code, why: `status ${status}` });
  });

  test("none: unavailable, with the system's word for it and without the URL", async () => {
    const errors = [
      [
        Object.assign(new Error(`Unable to connect to ${URL_ASKED}`), { code: "ECONNREFUSED" }),
        "ECONNREFUSED",
      ],
      [Object.assign(new Error("x"), { code: URL_ASKED }), "no answer"],
      [new TypeError(URL_ASKED), "no answer"],
      [URL_ASKED, "no answer"],
    ] as const;
    for (const [error, why] of errors) {
      const { auth, calls } = make();
      const verdict = auth.check(client());
      await Bun.sleep(0);
      calls[0]?.fail(error);
      expect(await verdict).toEqual({ code: "unavailable", why });
    }
  });

  test("none in time: unavailable, and the request is ended", async () => {
    const { auth, calls, runtime } = make();
    let ended = false;
    const verdict = auth.check(client()).finally(() => {
      ended = true;
    });
    await Bun.sleep(0);
    runtime.advance(TIMEOUT_MS - 1);
    await Bun.sleep(0);
    expect(ended).toBe(false);
    runtime.advance(1);
    expect(await verdict).toEqual({ code: "unavailable", why: "no answer in time" });
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });

  test("the client leaves: nothing more is done for it", async () => {
    const { auth, calls } = make();
    const gone = new AbortController();
    const verdict = auth.check(client(), gone.signal);
    await Bun.sleep(0);
    gone.abort();
    expect(await verdict).toEqual({ code: "unavailable", why: "client gone" });
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });

  test("the client has left before: nobody is asked", async () => {
    const { auth, calls } = make();
    expect(await auth.check(client(), AbortSignal.abort())).toMatchObject({ code: "unavailable" });
    expect(calls).toHaveLength(0);
  });

  test("afterwards no timer and no slot is left", async () => {
    const { auth, calls, runtime } = make();
    const verdicts = [200, 403, 500].map(() => auth.check(client()));
    await Bun.sleep(0);
    for (const call of calls) call.answer(200);
    await Promise.all(verdicts);
    expect(runtime.timerCount()).toBe(0);
    expect(auth.stats()).toEqual({ running: 0, waiting: 0, cached: 0 });
  });
});

describe("the cache", () => {
  const CACHE_MS = 10_000;
  const user = client({ cookie: "session=1", authorization: "Bearer a" });

  /** Checks, answers if asked, and returns whether it was. */
  async function asked(made: ReturnType<typeof make>, credentials: Credentials, status = 200) {
    const before = made.calls.length;
    const verdict = made.auth.check(credentials);
    await Bun.sleep(0);
    made.calls[before]?.answer(status);
    await verdict;
    return made.calls.length > before;
  }

  test("is off by default: each handshake asks", async () => {
    const made = make();
    expect(await asked(made, user)).toBe(true);
    expect(await asked(made, user)).toBe(true);
    expect(made.auth.stats().cached).toBe(0);
  });

  test("answers for the same client until its time is over", async () => {
    const made = make({ cacheMs: CACHE_MS });
    expect(await asked(made, user)).toBe(true);
    made.runtime.advance(CACHE_MS - 1);
    expect(await asked(made, user)).toBe(false);
    expect(await made.auth.check(user)).toEqual({ code: "allowed", why: "remembered" });
    made.runtime.advance(1);
    expect(await asked(made, user)).toBe(true);
  });

  test.each([
    { cookie: "session=2" },
    { cookie: null },
    { authorization: "Bearer b" },
    { authorization: null },
    { authorization: null, token: "b" },
    { address: "192.0.2.2" },
    { path: "/api/v1/events" },
    // The same characters, divided otherwise.
    { cookie: "session=1Bearer", authorization: " a" },
  ])("asks for another: %p", async (about) => {
    const made = make({ cacheMs: CACHE_MS });
    await asked(made, user);
    expect(await asked(made, { ...user, ...about })).toBe(true);
  });

  test("keeps no refusal and no failure", async () => {
    for (const status of [302, 401, 403, 404, 500]) {
      const made = make({ cacheMs: CACHE_MS });
      await asked(made, user, status);
      expect(await asked(made, user)).toBe(true);
    }
  });

  test("a token is the bearer token that it is sent as", async () => {
    const made = make({ cacheMs: CACHE_MS });
    await asked(made, client({ token: "b" }));
    expect(await asked(made, client({ authorization: "Bearer b" }))).toBe(false);
  });
});

describe("many at once", () => {
  test("no more are asked than allowed, the others wait, and beyond that they are refused at once", async () => {
    const { auth, calls } = make();
    const verdicts = Array.from({ length: FORWARD_RUNNING_MAX + FORWARD_WAITING_MAX }, (_, i) =>
      auth.check(client({ cookie: `session=${i}` })),
    );
    await Bun.sleep(0);
    expect(calls).toHaveLength(FORWARD_RUNNING_MAX);
    expect(auth.stats()).toEqual({ running: FORWARD_RUNNING_MAX, waiting: FORWARD_WAITING_MAX, cached: 0 });
    expect(await auth.check(client())).toEqual({ code: "unavailable", why: "too many at once" });

    calls[0]?.answer(200);
    expect(await verdicts[0]).toMatchObject({ code: "allowed" });
    await Bun.sleep(0);
    expect(calls).toHaveLength(FORWARD_RUNNING_MAX + 1);
    for (let i = 1; i < verdicts.length; i++) {
      calls[i]?.answer(403);
      expect(await verdicts[i]).toMatchObject({ code: "refused" });
      await Promise.resolve();
    }
    expect(calls).toHaveLength(verdicts.length);
    expect(auth.stats()).toEqual({ running: 0, waiting: 0, cached: 0 });
  });

  test("an endpoint that hangs keeps nobody waiting longer than the time-out, and recovers", async () => {
    const { auth, calls, runtime } = make();
    const verdicts = Array.from({ length: FORWARD_RUNNING_MAX + 100 }, () => auth.check(client()));
    await Bun.sleep(0);
    runtime.advance(TIMEOUT_MS);
    for (const verdict of await Promise.all(verdicts)) {
      expect(verdict).toEqual({ code: "unavailable", why: "no answer in time" });
    }
    expect(auth.stats()).toEqual({ running: 0, waiting: 0, cached: 0 });
    expect(runtime.timerCount()).toBe(0);

    const asked = calls.length;
    const next = auth.check(client());
    await Bun.sleep(0);
    calls[asked]?.answer(200);
    expect(await next).toMatchObject({ code: "allowed" });
  });

  test("a client that leaves while it waits frees its place", async () => {
    const { auth, calls } = make();
    const gone = new AbortController();
    const running = Array.from({ length: FORWARD_RUNNING_MAX }, () => auth.check(client()));
    const waiting = auth.check(client(), gone.signal);
    await Bun.sleep(0);
    expect(auth.stats().waiting).toBe(1);
    gone.abort();
    expect(await waiting).toMatchObject({ code: "unavailable", why: "client gone" });
    expect(auth.stats().waiting).toBe(0);
    for (const call of calls) call.answer(200);
    await Promise.all(running);
    expect(calls).toHaveLength(FORWARD_RUNNING_MAX);
  });

  test("a million clients from different addresses leave the cache within its bound", async () => {
    const runtime = createFakeRuntime();
    const answer = new Response(null, { status: 204 });
    const auth = createForwardAuth({
      url: URL_ASKED,
      timeoutMs: TIMEOUT_MS,
      cacheMs: 60_000,
      checkSecret: createSecretCheck([SECRET]),
      runtime,
      fetch: () => Promise.resolve(answer),
    });
    let largest = 0;
    for (let i = 0; i < 1_000_000; i++) {
      await auth.check(client({ address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }));
      largest = Math.max(largest, auth.stats().cached);
    }
    expect(largest).toBe(FORWARD_CACHED_MAX);
    expect(runtime.timerCount()).toBe(0);
  }, 120_000);
});

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
