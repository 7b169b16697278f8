import { describe, expect, test } from "bun:test";
import {
  type Credentials,
  createForwardAuth,
  FORWARD_CACHED_MAX,
  FORWARD_RUNNING_MAX,
  FORWARD_WAITING_MAX,
} from "../../../src/auth/forward.ts";
import { createSecretCheck } from "../../../src/auth/secret.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";
import { client, make, SECRET, TIMEOUT_MS, URL_ASKED } from "../../support/forward-endpoint.ts";

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
