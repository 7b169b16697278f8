/** An error answer (RFC 9457). `type` is a URN that a program can compare; `detail` is for the person who reads it. */
export interface ProblemDetails {
  readonly status: number;
  /** The last part of the `type` URN, e.g. `queue_full`. */
  readonly code: string;
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
