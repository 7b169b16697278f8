/**
 * Every problem that the hub answers with (PROTOCOL.md, sections 1 and 4; RFC 9457), by the last part of its `type`. The
 * edge may name no other, so what the contract says of errors is whole.
 */
export const PROBLEMS = {
  bad_types: { status: 400, title: "Bad request", when: "`types` is malformed, or holds more than 32 names" },
  bad_query: { status: 400, title: "Bad request", when: "`if_offline` is neither `queue` nor `reject`" },
  bad_key: { status: 400, title: "Bad request", when: "the `Idempotency-Key` is malformed" },
  invalid_utf8: { status: 400, title: "Invalid UTF-8", when: "the body is not valid UTF-8" },
  invalid_json: {
    status: 400,
    title: "Bad request",
    when: "the body, or the line named, is not valid JSON",
  },
  not_object: { status: 400, title: "Bad request", when: "the body, or the line named, is no JSON object" },
  reserved_type: {
    status: 400,
    title: "Bad request",
    when: "the `type` is WORKER_STATUS, REGISTER_WORKER or VECTRA_CANARY, which are the hub's own",
  },
  empty: { status: 400, title: "Bad request", when: "the batch holds no message" },
  bad_handshake: {
    status: 400,
    title: "Not a WebSocket handshake",
    when: "`Sec-WebSocket-Key` or `Connection` is missing or malformed",
  },
  unauthorized: { status: 401, title: "Unauthorized", when: "the secret is missing or wrong" },
  foreign_origin: {
    status: 403,
    title: "Forbidden",
    when: "the page that asks is of an origin that ALLOWED_ORIGINS does not name",
  },
  client_refused: {
    status: 403,
    title: "Forbidden",
    when: "the service at CLIENT_AUTH_URL does not let this client in",
  },
  not_found: { status: 404, title: "Not found", when: "there is no such path, or no such command any more" },
  method_not_allowed: {
    status: 405,
    title: "Method not allowed",
    when: "the method is not served here; `Allow` names those that are",
  },
  offline: {
    status: 409,
    title: "Conflict",
    when: "no worker is online, and `if_offline=reject` was asked for",
  },
  too_large: {
    status: 413,
    title: "Content too large",
    when: "the body or a line is over its size limit, or a batch holds more than 10,000 messages",
  },
  wrong_type: {
    status: 415,
    title: "Unsupported media type",
    when: "the `Content-Type` is none of those that `Accept` names",
  },
  key_mismatch: {
    status: 422,
    title: "Idempotency key used before",
    when: "the `Idempotency-Key` came with another body within the last 10 minutes",
  },
  upgrade_required: {
    status: 426,
    title: "Upgrade required",
    when: "the request is no WebSocket handshake, or asks for another version than 13",
  },
  too_many_failures: {
    status: 429,
    title: "Too many wrong secrets",
    when: "this address has sent more than WRONG_SECRETS_PER_MINUTE; a right secret always enters",
  },
  fault: { status: 500, title: "Internal error", when: "a fault in the hub" },
  queue_full: {
    status: 503,
    title: "Service unavailable",
    when: "COMMAND_QUEUE commands wait already, or 64 MiB of them",
  },
  storage: { status: 503, title: "Service unavailable", when: "the history file cannot be written" },
  backplane: {
    status: 503,
    title: "Service unavailable",
    when: "Redis gives no answer: several hubs share it (REDIS_URL)",
  },
  keys_full: {
    status: 503,
    title: "Service unavailable",
    when: "the table of idempotency keys is full, and none may be forgotten yet",
  },
  busy: { status: 503, title: "Service unavailable", when: "16 batches wait for their turn already" },
  capacity: { status: 503, title: "Service unavailable", when: "MAX_CONNECTIONS clients are connected" },
  address_capacity: {
    status: 503,
    title: "Service unavailable",
    when: "MAX_CONNECTIONS_PER_ADDRESS clients of this address are connected",
  },
  client_auth_unavailable: {
    status: 503,
    title: "Service unavailable",
    when: "the service at CLIENT_AUTH_URL gives no answer",
  },
  loop: {
    status: 508,
    title: "Loop detected",
    when: "another hub's bridge has come here in place of Vectra's API",
  },
} as const satisfies Readonly<Record<string, Problem>>;

interface Problem {
  readonly status: number;
  /** The same for every occurrence (RFC 9457, section 3.1.4). */
  readonly title: string;
  readonly when: string;
}

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

/** The `type` of a problem. */
export function problemType(code: ProblemCode): string {
  return `urn:vectra:problem:${code}`;
}
