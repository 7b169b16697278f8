import { FILTER_LIMIT_TYPES } from "../filter.ts";
import { type Json, schemaRef } from "./schemas.ts";

const NAME = "[A-Za-z0-9_.:-]{1,64}";

/** What requests carry beside their body, by its name in the contract (PROTOCOL.md, sections 1 to 4). */
export const PARAMETERS = {
  ClientType: {
    name: "client_type",
    in: "query",
    description: "A client receives the stream; a worker must show the secret. The last of several counts.",
    schema: { enum: ["client", "worker"], default: "client" },
    example: "worker",
  },
  CommandId: {
    name: "id",
    in: "path",
    required: true,
    description: "What the receipt of the command named.",
    schema: { type: "string", minLength: 1 },
    example: "8c41f0d2a6b35e97",
  },
  ConsoleFile: {
    name: "file",
    in: "path",
    required: true,
    description: "A name that the page gives.",
    schema: { type: "string" },
    example: "index-4k2v9x1d.js",
  },
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Within 10 minutes a repeat returns the first answer and does nothing; a concurrent one waits for it.",
    schema: schemaRef("IdempotencyKey"),
    example: "b7a1-ready",
  },
  IfNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "The ETag that the caller has.",
    schema: { type: "string" },
    example: '"9f86d081884c7d65"',
  },
  IfOffline: {
    name: "if_offline",
    in: "query",
    description: "What to do while no worker is online: keep the command for the next one, or refuse it.",
    schema: { enum: ["queue", "reject"], default: "queue" },
    example: "reject",
  },
  LastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The cursor to resume after, as a browser that comes back sends it. It beats `since`.",
    schema: schemaRef("Cursor"),
    example: "1f0c9a7e-41",
  },
  Origin: {
    name: "Origin",
    in: "header",
    description: "Set by browsers. One that ALLOWED_ORIGINS does not name is refused; none at all enters.",
    schema: { type: "string" },
    example: "https://app.example.com",
  },
  SecWebSocketProtocol: {
    name: "Sec-WebSocket-Protocol",
    in: "header",
    description: "`vectra.stream.v1` asks for stream framing. Unknown ones are not echoed.",
    schema: { type: "string" },
    example: "vectra.stream.v1",
  },
  Since: {
    name: "since",
    in: "query",
    description:
      "Everything after this cursor, or with `earliest` everything that is held. Ignored in raw framing, which has no cursors.",
    schema: { anyOf: [{ const: "earliest" }, schemaRef("Cursor")] },
    example: "1f0c9a7e-41",
  },
  Types: {
    name: "types",
    in: "query",
    description: `Only messages of these types, separated by commas, and WORKER_STATUS always. At most ${FILTER_LIMIT_TYPES} names.`,
    schema: { type: "string", pattern: `^${NAME}(?:,${NAME}){0,${FILTER_LIMIT_TYPES - 1}}$` },
    example: "DOC_UPDATE,DOC_PROGRESS",
  },
} as const satisfies Readonly<Record<string, Json>>;

export type ParameterName = keyof typeof PARAMETERS;

export function parameters(...names: readonly ParameterName[]): readonly Json[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

/** Ways to show who one is. A requirement names one of these; an empty one means that nothing is needed. */
export const SECURITY_SCHEMES = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "WORKER_SECRET, or WORKER_SECRET_PREVIOUS. For operators' calls OPS_TOKEN serves as well.",
  },
  clientBearer: {
    type: "http",
    scheme: "bearer",
    description:
      "What the service at CLIENT_AUTH_URL knows a client by; it gets the client's cookies, too. Without CLIENT_AUTH_URL clients need nothing.",
  },
  clientToken: {
    type: "apiKey",
    in: "query",
    name: "token",
    description: "The same for those who cannot send headers, as a browser's WebSocket and EventSource.",
  },
  secret: {
    type: "apiKey",
    in: "header",
    name: "x-worker-secret",
    description: "WORKER_SECRET, or WORKER_SECRET_PREVIOUS. For operators' calls OPS_TOKEN serves as well.",
  },
  workerToken: {
    type: "apiKey",
    in: "query",
    name: "token",
    description:
      "The secret of a worker that cannot send headers: it counts only where `x-worker-secret` is missing or empty. Query strings end up in the logs of proxies.",
  },
} as const satisfies Readonly<Record<string, Json>>;

type Requirement = Readonly<Partial<Record<keyof typeof SECURITY_SCHEMES, readonly []>>>;

export const SECRET: readonly Requirement[] = [{ secret: [] }, { bearer: [] }];
export const CLIENT: readonly Requirement[] = [{}, { clientBearer: [] }, { clientToken: [] }];
