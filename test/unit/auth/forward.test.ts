import { describe, expect, test } from "bun:test";
import { client, make, SECRET, sent, TIMEOUT_MS, URL_ASKED } from "../../support/forward-endpoint.ts";

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
