import type { ProblemCode } from "../protocol/contract/problems.ts";

/** An error answer (RFC 9457). `type` is a URN that a program can compare; `detail` is for the person who reads it. */
export interface ProblemDetails {
  readonly status: number;
  /** The last part of the `type` URN, e.g. `queue_full`. Only what the contract lists. */
  readonly code: ProblemCode;
  readonly title: string;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers with `application/problem+json`. */
export function problem({ status, code, title, detail, headers }: ProblemDetails): Response {
  return new Response(JSON.stringify({ type: `urn:vectra:problem:${code}`, title, status, detail }), {
    status,
    headers: { ...headers, "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

export function json(status: number, body: unknown): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store" } });
}

export function methodNotAllowed(method: string, allowed: readonly string[]): ProblemDetails {
  return {
    status: 405,
    code: "method_not_allowed",
    title: "Method not allowed",
    detail: `${method} is not served here: use ${allowed.join(" or ")}`,
    headers: { allow: allowed.join(", ") },
  };
}

export function badRequest(code: ProblemCode, detail: string): ProblemDetails {
  return { status: 400, code, title: "Bad request", detail };
}

export function tooLarge(limitBytes: number, what = "the body"): ProblemDetails {
  return {
    status: 413,
    code: "too_large",
    title: "Content too large",
    detail: `${what} is larger than ${limitBytes} bytes`,
  };
}

export function wrongType(accepted: readonly string[]): ProblemDetails {
  return {
    status: 415,
    code: "wrong_type",
    title: "Unsupported media type",
    detail: `the Content-Type must be ${accepted.join(" or ")}`,
    headers: { accept: accepted.join(", ") },
  };
}

export function unauthorized(verdict: "missing" | "wrong"): ProblemDetails {
  return {
    status: 401,
    code: "unauthorized",
    title: "Unauthorized",
    detail: `the worker secret is ${verdict}: send it as x-worker-secret, or as Authorization: Bearer`,
    headers: { "www-authenticate": 'Bearer realm="vectra-hub"' },
  };
}

/** What was asked cannot be done now, and nothing of it was kept. */
export function unavailable(code: ProblemCode, detail: string, retryAfterS = 1): ProblemDetails {
  return {
    status: 503,
    code,
    title: "Service unavailable",
    detail,
    headers: { "retry-after": String(retryAfterS) },
  };
}

export function conflict(code: ProblemCode, detail: string): ProblemDetails {
  return { status: 409, code, title: "Conflict", detail };
}

export function keyMismatch(detail: string): ProblemDetails {
  return { status: 422, code: "key_mismatch", title: "Idempotency key used before", detail };
}

export function notFound(detail: string): ProblemDetails {
  return { status: 404, code: "not_found", title: "Not found", detail };
}

/** The problem of something that the backplane has not taken. Over HTTP nothing comes on a worker's behalf. */
export function refusalCode<Code extends string>({
  code,
}: {
  readonly code: Code;
}): Exclude<Code, "superseded"> {
  return (code === "superseded" ? "fault" : code) as Exclude<Code, "superseded">;
}
