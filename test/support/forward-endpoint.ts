import { type Credentials, createForwardAuth } from "../../src/auth/forward.ts";
import { createSecretCheck } from "../../src/auth/secret.ts";
import { createFakeRuntime } from "./fake-runtime.ts";

export const SECRET = "7f3a9c52e8d14b06a1f5c3e97b20d8461";
export const URL_ASKED = "http://api.internal/auth/me?strict=1";
export const TIMEOUT_MS = 3_000;

interface Call {
  readonly url: string;
  readonly init: BunFetchRequestInit;
  readonly headers: Headers;
  answer(status: number, body?: string): void;
  fail(error: unknown): void;
}

/** An endpoint that answers when the test says so, and a signal ends the request as it does with the real fetch. */
export function make({ cacheMs = 0 } = {}) {
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

export function client(about: Partial<Credentials> = {}): Credentials {
  return { cookie: null, authorization: null, token: null, address: "192.0.2.1", path: "/ws", ...about };
}

/** What the endpoint is sent for these credentials; undefined where it is not asked. */
export async function sent(about: Partial<Credentials>): Promise<Record<string, string> | undefined> {
  const { auth, calls } = make();
  const verdict = auth.check(client(about));
  // The question is asked once a slot has been got, which takes a turn of the microtask queue.
  await Bun.sleep(0);
  calls[0]?.answer(204);
  await verdict;
  return calls[0] === undefined ? undefined : calls[0].headers.toJSON();
}
