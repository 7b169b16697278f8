import { type Json, sorted } from "./schemas.ts";

/** The headers of answers, by their name on the wire. */
export const HEADERS = {
  Accept: header("The media types that the body may have.", { type: "string" }, "application/json"),
  "Access-Control-Allow-Credentials": header(
    "Where the origin is named: its pages may send cookies.",
    { const: "true" },
    "true",
  ),
  "Access-Control-Allow-Headers": header(
    "What a page may send beside the usual.",
    { type: "string" },
    "authorization, cache-control, last-event-id",
  ),
  "Access-Control-Allow-Methods": header("The methods that a page may use.", { type: "string" }, "GET"),
  "Access-Control-Allow-Origin": header(
    "The origin whose pages may read the answer: that of the request, or `*`.",
    { type: "string" },
    "https://app.example.com",
  ),
  "Access-Control-Expose-Headers": header(
    "The headers that a page may read beside the usual.",
    { type: "string" },
    "retry-after",
  ),
  "Access-Control-Max-Age": header(
    "For how many seconds a browser may keep a preflight's answer.",
    { type: "string", pattern: "^\\d+$" },
    "600",
  ),
  Allow: header("The methods that are served here.", { type: "string" }, "GET, HEAD"),
  "Cache-Control": header("Whether the answer may be kept.", { type: "string" }, "no-store"),
  Connection: header("Names Upgrade.", { type: "string" }, "Upgrade"),
  "Content-Encoding": header(
    "How the body is compressed, for a caller that takes it.",
    { const: "gzip" },
    "gzip",
  ),
  "Content-Security-Policy": security("default-src 'none'; script-src 'self'"),
  "Cross-Origin-Opener-Policy": security("same-origin"),
  "Cross-Origin-Resource-Policy": security("same-origin"),
  ETag: header(
    "Changes with the document. Sent back as `If-None-Match` it makes the answer 304 while nothing has.",
    { type: "string", pattern: '^"[!-~]+"$' },
    '"9f86d081884c7d65"',
  ),
  "Permissions-Policy": security("camera=(), geolocation=(), microphone=()"),
  "Referrer-Policy": security("no-referrer"),
  "Retry-After": header(
    "After how many seconds it is worth trying again.",
    { type: "string", pattern: "^\\d+$" },
    "5",
  ),
  "Sec-WebSocket-Accept": header(
    "RFC 6455, section 4.2.2.",
    { type: "string" },
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  ),
  "Sec-WebSocket-Protocol": header(
    "The framing, where the client offered it: without it frames are raw.",
    { const: "vectra.stream.v1" },
    "vectra.stream.v1",
  ),
  "Sec-WebSocket-Version": header("The version that is spoken here.", { const: "13" }, "13"),
  Upgrade: header("What is spoken here.", { const: "websocket" }, "websocket"),
  Vary: header(
    "The answer differs by the origin of the page that asks, or by whether the caller takes gzip.",
    { enum: ["origin", "accept-encoding"] },
    "origin",
  ),
  "WWW-Authenticate": header("How to show the secret.", { type: "string" }, 'Bearer realm="vectra-hub"'),
  "X-Content-Type-Options": security("nosniff"),
  "X-Frame-Options": security("DENY"),
  "X-Accel-Buffering": header("Keeps nginx from holding events back.", { const: "no" }, "no"),
} as const satisfies Readonly<Record<string, Json>>;

export type HeaderName = keyof typeof HEADERS;

/** CORS, on what pages of other origins may read. A request that names no origin gets some of them at most. */
export const CORS: readonly HeaderName[] = [
  "Access-Control-Allow-Credentials",
  "Access-Control-Allow-Origin",
  "Access-Control-Expose-Headers",
  "Vary",
];

/** Those that come with some answers only, as it is said elsewhere; all others are required. */
const SOMETIMES = new Set<HeaderName>(["Content-Encoding", ...CORS, "Sec-WebSocket-Protocol"]);

/** The header objects of the components. */
export function headerObjects(): Json {
  const objects = Object.entries(HEADERS).map(([name, object]) => [
    name,
    SOMETIMES.has(name as HeaderName) ? object : { ...object, required: true },
  ]);
  return Object.fromEntries(objects);
}

/** The headers of one answer. @param maybe these may be missing */
export function headers(always: readonly HeaderName[], maybe: readonly HeaderName[] = []): Json {
  const named = (name: HeaderName, required: boolean): readonly [string, Json] => [
    name,
    // A reference where the component says the same.
    SOMETIMES.has(name) === required
      ? { ...HEADERS[name], required }
      : { $ref: `#/components/headers/${name}` },
  ];
  return sorted(
    Object.fromEntries([
      ...always.map((name) => named(name, true)),
      ...maybe.map((name) => named(name, false)),
    ]),
  );
}

function header(description: string, schema: Json, example: string) {
  return { description, schema, example };
}

function security(example: string) {
  return header("What a browser may do with the page.", { type: "string" }, example);
}
