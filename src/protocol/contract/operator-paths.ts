import { jsonAnswer, namedExamples, problems } from "./answers.ts";
import { headers } from "./headers.ts";
import type { PathItem } from "./operations.ts";
import { CLIENT, parameters, SECRET } from "./parameters.ts";
import type { Json } from "./schemas.ts";

const METRICS = `# HELP vectra_worker_online 1 while a worker is online.
# TYPE vectra_worker_online gauge
vectra_worker_online 1
`;

/** The calls of operators and of those who look around: the first four on a listener of their own where OPS_PORT is set. */
export function operatorPaths(): Readonly<Record<string, PathItem>> {
  return {
    "/healthz": {
      get: {
        operationId: "getHealth",
        tags: ["operator"],
        summary: "Is the process up?",
        security: [{}],
        responses: { 200: jsonAnswer("It is.", "Health"), ...problems(["fault"]) },
      },
    },
    "/readyz": {
      get: {
        operationId: "getReadiness",
        tags: ["operator"],
        summary: "Does it take traffic?",
        security: [{}],
        responses: {
          200: jsonAnswer("It does.", "Readiness"),
          503: jsonAnswer("It does not: it stops, or one of its checks fails.", "Readiness"),
          ...problems(["fault"]),
        },
      },
    },
    "/metrics": {
      get: {
        operationId: "getMetrics",
        tags: ["operator"],
        summary: "The hub's figures for Prometheus",
        description: "Open in development, and where OPS_PORT is set.",
        security: [{}, ...SECRET],
        responses: {
          200: {
            description: "Prometheus' text format, version 0.0.4.",
            headers: headers(["Cache-Control"]),
            content: { "text/plain": { schema: { type: "string" }, examples: namedExamples([METRICS]) } },
          },
          ...problems(["unauthorized", "too_many_failures", "fault"]),
        },
      },
    },
    "/api/v1/stats": {
      get: {
        operationId: "getStats",
        tags: ["operator"],
        summary: "The hub's figures in one JSON object",
        security: SECRET,
        responses: {
          200: jsonAnswer("The figures.", "Stats"),
          ...problems(["unauthorized", "too_many_failures", "fault"]),
        },
      },
    },
    "/openapi.json": { get: contract("getOpenapi", "This document", "https://spec.openapis.org/oas/v3.1") },
    "/asyncapi.json": {
      get: contract("getAsyncapi", "The frames of WebSockets and the events of SSE", "https://asyncapi.com"),
    },
  };
}

/** The console, where CONSOLE is on. */
export function consolePaths(): Readonly<Record<string, PathItem>> {
  const pageHeaders = headers(
    [
      "Cache-Control",
      "Content-Security-Policy",
      "Cross-Origin-Opener-Policy",
      "Cross-Origin-Resource-Policy",
      "ETag",
      "Permissions-Policy",
      "Referrer-Policy",
      "Vary",
      "X-Content-Type-Options",
      "X-Frame-Options",
    ],
    ["Content-Encoding"],
  );
  const text = { schema: { type: "string" } };
  const unchanged = {
    304: { description: "It is still the one that the caller has.", headers: pageHeaders },
  };
  return {
    "/": {
      get: {
        operationId: "getConsole",
        tags: ["operator", "client"],
        summary: "The console page",
        security: CLIENT,
        parameters: parameters("IfNoneMatch"),
        responses: {
          200: { description: "The page.", headers: pageHeaders, content: { "text/html": text } },
          ...unchanged,
          ...problems(["client_refused", "client_auth_unavailable", "fault"]),
        },
      },
    },
    "/console/{file}": {
      get: {
        operationId: "getConsoleFile",
        tags: ["operator", "client"],
        summary: "A part of the console page",
        security: [{}],
        parameters: parameters("ConsoleFile", "IfNoneMatch"),
        responses: {
          200: {
            description: "The part.",
            headers: pageHeaders,
            content: { "text/javascript": text, "text/css": text, "image/svg+xml": text },
          },
          ...unchanged,
          ...problems(["not_found", "fault"]),
        },
      },
    },
  };
}

function contract(operationId: string, summary: string, url: string): Json {
  return {
    operationId,
    tags: ["operator"],
    summary,
    externalDocs: { url },
    security: [{}],
    parameters: parameters("IfNoneMatch"),
    responses: {
      200: {
        description: "The contract of the hub that answers, with the WS_PATHS that it has.",
        headers: headers(["Access-Control-Allow-Origin", "Cache-Control", "ETag"]),
        content: { "application/json": { schema: { type: "object" } } },
      },
      304: {
        description: "It is still the one that the caller has.",
        headers: headers(["Access-Control-Allow-Origin", "Cache-Control", "ETag"]),
      },
      ...problems(["fault"]),
    },
  };
}
