import { problemExample } from "./bodies.ts";
import { type HeaderName, headers } from "./headers.ts";
import { PROBLEM_CODES, PROBLEMS, type ProblemCode, problemType } from "./problems.ts";
import { type BodyName, described, type Json, type SchemaName, schemaRef } from "./schemas.ts";

/** The headers that come with every problem of a status. */
const HEADERS_OF: Readonly<Record<number, readonly HeaderName[]>> = {
  401: ["WWW-Authenticate"],
  405: ["Allow"],
  415: ["Accept"],
  426: ["Connection", "Sec-WebSocket-Version", "Upgrade"],
  429: ["Retry-After"],
  503: ["Retry-After"],
};

/** A media type object with a schema and its examples. */
export function content(name: SchemaName): Json {
  const { examples } = described(name);
  return { schema: schemaRef(name), examples: namedExamples(examples) };
}

/** OpenAPI wants each example to have a name. */
export function namedExamples(examples: readonly unknown[]): Json {
  return Object.fromEntries(examples.map((value, at) => [`example${at + 1}`, { value }]));
}

/** An answer in JSON. @param cors these headers may be there */
export function jsonAnswer(description: string, body: BodyName, cors: readonly HeaderName[] = []): Json {
  return {
    description,
    headers: headers(["Cache-Control"], cors),
    content: { "application/json": content(body) },
  };
}

/** One example of each problem, to which the answers refer. */
export function problemExamples(): Json {
  return Object.fromEntries(PROBLEM_CODES.map((code) => [code, { value: problemExample(code) }]));
}

/** The answers for these problems, by status. @param cors these headers may be there */
export function problems(
  codes: readonly ProblemCode[],
  cors: readonly HeaderName[] = [],
): Readonly<Record<string, Json>> {
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [String(status), problemAnswer(status, of, cors)]),
  );
}

function problemAnswer(status: number, codes: readonly ProblemCode[], cors: readonly HeaderName[]): Json {
  const also = cors.length === 0 && status === 403 ? (["Vary"] as const) : cors;
  return {
    description: codes.map((code) => `\`${problemType(code)}\`: ${PROBLEMS[code].when}.`).join("\n\n"),
    headers: headers(["Cache-Control", ...(HEADERS_OF[status] ?? [])], also),
    content: {
      "application/problem+json": {
        schema: {
          allOf: [
            schemaRef("Problem"),
            {
              properties: {
                type: { enum: codes.map(problemType) },
                title: { enum: [...new Set(codes.map((code) => PROBLEMS[code].title))] },
                status: { const: status },
              },
            },
          ],
        },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  };
}
