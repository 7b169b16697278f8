import { sseEvent, sseHeartbeat, sseMessage, sseRetry } from "../sse.ts";
import { STREAM_SUBPROTOCOL } from "../subprotocol.ts";
import { content, jsonAnswer, namedExamples, problems } from "./answers.ts";
import { CORS, headers } from "./headers.ts";
import { CLIENT, parameters, SECRET } from "./parameters.ts";
import type { ProblemCode } from "./problems.ts";
import { described, type FrameName, type Json } from "./schemas.ts";

/** What can be asked of one path, by method in lower case. */
export type PathItem = Readonly<Record<string, Json>>;

/** With a secret in the way, before anything else is looked at. */
const GUARDED: readonly ProblemCode[] = ["unauthorized", "too_many_failures", "fault"];
const ASKED_AS_CLIENT: readonly ProblemCode[] = [
  "foreign_origin",
  "client_refused",
  "client_auth_unavailable",
  "fault",
];
const BODY: readonly ProblemCode[] = [
  "bad_key",
  "invalid_utf8",
  "invalid_json",
  "not_object",
  "reserved_type",
  "too_large",
  "wrong_type",
  "key_mismatch",
  "storage",
  "backplane",
  "keys_full",
];

const LINES =
  '{"type":"DOC_PROGRESS","doc_id":"b7a1","processed":8}\n{"type":"DOC_PROGRESS","doc_id":"b7a1","processed":9}\n';

/** The calls of backends, clients and workers, on WebSockets as far as HTTP goes (PROTOCOL.md, sections 1 to 4). */
export function callPaths(wsPaths: readonly string[]): Readonly<Record<string, PathItem>> {
  return {
    "/api/v1/publish": {
      post: {
        operationId: "publish",
        tags: ["backend"],
        summary: "Publish messages to everybody",
        description:
          "One JSON object, or one per LF-ended line: all valid or none published, and a 400 or 413 names the line. The answer comes when they are in the history.",
        security: SECRET,
        parameters: parameters("IdempotencyKey"),
        requestBody: {
          required: true,
          description: "At most MAX_MESSAGE_BYTES; a batch at most MAX_BATCH_BYTES and 10,000 messages.",
          content: {
            "application/json": content("Message"),
            "application/x-ndjson": { schema: { type: "string" }, examples: namedExamples([LINES]) },
          },
        },
        responses: {
          202: jsonAnswer("Published.", "Receipt"),
          ...problems([...BODY, "empty", "busy", ...GUARDED]),
        },
      },
    },
    "/api/v1/worker/messages": {
      post: {
        operationId: "sendCommand",
        tags: ["backend"],
        summary: "Send the worker a command",
        description:
          "Goes to the newest worker, or waits for the next one, in order, for at most COMMAND_TTL_MS. It arrives at least once.",
        security: SECRET,
        parameters: parameters("IfOffline", "IdempotencyKey"),
        requestBody: {
          required: true,
          description: "At most 1,048,320 bytes.",
          content: { "application/json": content("RawCommand") },
        },
        responses: {
          202: jsonAnswer("Accepted.", "CommandReceipt"),
          ...problems([...BODY, "bad_query", "offline", "queue_full", ...GUARDED]),
        },
      },
    },
    "/api/v1/worker/messages/{id}": {
      get: {
        operationId: "getCommand",
        tags: ["backend"],
        summary: "What has become of a command",
        security: SECRET,
        parameters: parameters("CommandId"),
        responses: {
          200: jsonAnswer("Known.", "CommandState"),
          ...problems(["not_found", "backplane", ...GUARDED]),
        },
      },
    },
    "/api/v1/worker": {
      get: {
        operationId: "getWorker",
        tags: ["client", "backend"],
        summary: "Who works at the moment",
        security: [...CLIENT, ...SECRET],
        parameters: parameters("Origin"),
        responses: {
          200: jsonAnswer("The worker's state.", "WorkerState", CORS),
          ...problems(ASKED_AS_CLIENT, CORS),
        },
      },
      options: preflight("preflightWorker"),
    },
    "/api/v1/events": {
      get: {
        operationId: "getEvents",
        tags: ["client"],
        summary: "The stream as Server-Sent Events",
        description:
          "The events are described in /asyncapi.json. Every heartbeat brings a comment and a bare `id:` line, which moves the position and makes no event.",
        security: CLIENT,
        parameters: parameters("Types", "Since", "LastEventId", "Origin"),
        responses: {
          200: {
            description: "An endless stream (WHATWG HTML, section 9.2).",
            headers: headers(["Cache-Control", "X-Accel-Buffering"], CORS),
            content: {
              "text/event-stream": { schema: { type: "string" }, examples: namedExamples([eventStream()]) },
            },
          },
          ...problems([...ASKED_AS_CLIENT, "bad_types", "capacity", "address_capacity"], CORS),
        },
      },
      options: preflight("preflightEvents"),
    },
    ...Object.fromEntries(wsPaths.map((path, at) => [path, { get: handshake(at) }])),
  };
}

/** @param at the how-manieth of the WebSocket paths: an operationId must be unique */
function handshake(at: number): Json {
  return {
    operationId: at === 0 ? "openWebSocket" : `openWebSocket${at + 1}`,
    tags: ["client", "worker"],
    summary: "Open a WebSocket",
    description: `RFC 6455. The frames and close codes are described in /asyncapi.json. A wrong secret or \`client_type\` is upgraded and closed with 1008; whoever offers \`${STREAM_SUBPROTOCOL}\` is told with a close code what others are told with 403 or 503.`,
    security: [...CLIENT, { secret: [] }, { workerToken: [] }],
    parameters: parameters("ClientType", "Types", "Since", "SecWebSocketProtocol", "Origin"),
    responses: {
      101: {
        description: "It is a WebSocket now.",
        headers: headers(["Connection", "Sec-WebSocket-Accept", "Upgrade"], ["Sec-WebSocket-Protocol"]),
      },
      ...problems([
        "bad_types",
        "bad_handshake",
        "foreign_origin",
        "client_refused",
        "upgrade_required",
        "too_many_failures",
        "capacity",
        "address_capacity",
        "client_auth_unavailable",
        "fault",
        "loop",
      ]),
    },
  };
}

function preflight(operationId: string): Json {
  return {
    operationId,
    tags: ["client"],
    summary: "What a browser asks before a page's request",
    parameters: parameters("Origin"),
    security: [{}],
    responses: {
      204: {
        description: "The page may.",
        headers: headers(
          ["Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Max-Age", "Allow"],
          CORS,
        ),
      },
      ...problems(["foreign_origin", "fault"]),
    },
  };
}

function eventStream(): string {
  const json = (name: FrameName): string => JSON.stringify(described(name).examples[0]);
  const cursor = "1f0c9a7e-41";
  return [
    sseRetry(3_120),
    sseEvent("hello", json("Hello"), cursor),
    sseMessage({ cursor: "1f0c9a7e-42", text: json("Message") }),
    sseEvent("live", json("Live"), "1f0c9a7e-42"),
    sseHeartbeat("1f0c9a7e-42"),
    sseEvent("goodbye", json("Goodbye")),
  ].join("");
}
