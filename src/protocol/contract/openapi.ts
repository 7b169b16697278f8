import { problemExamples, problems } from "./answers.ts";
import { CORS, headerObjects } from "./headers.ts";
import { callPaths } from "./operations.ts";
import { consolePaths, operatorPaths } from "./operator-paths.ts";
import { PARAMETERS, SECURITY_SCHEMES } from "./parameters.ts";
import { BODY_NAMES, type Json, jsonSchemas, sorted } from "./schemas.ts";

/** What differs from hub to hub. */
export interface ContractOptions {
  readonly version: string;
  /** WS_PATHS. */
  readonly wsPaths: readonly string[];
  /** CONSOLE. */
  readonly hasConsole: boolean;
}

const DESCRIPTION = `The calls of a vectra-hub, which sends the messages of one worker to many watching dashboards.

- Errors are \`application/problem+json\` (RFC 9457), whose \`type\` programs compare.
- HEAD is served wherever GET is, but for WebSockets: the same status and headers, and no body.
- Any other method is answered as \`x-other-methods\` of the path says, any other path as \`x-other-paths\` does.
- A request that HTTP itself forbids is answered before any of this, without a body: 400 for one that can be read in two ways, 431 for a head of more than 16 KiB.
- With OPS_PORT, health, metrics and stats are on that port alone.
- Later versions may add members to what the hub sends: ignore those that you do not know.`;

/**
 * The contract of the HTTP calls: OpenAPI 3.1, from the zod schemas (PROTOCOL.md, section 4). The same for the same options.
 * It names no server, so addresses are relative to where the document came from (OpenAPI, section 4.8.1.1).
 */
export function openapiDocument({ version, wsPaths, hasConsole }: ContractOptions): Json {
  const other = { "x-other-methods": { $ref: "#/components/responses/OtherMethod" } };
  const paths = { ...operatorPaths(), ...(hasConsole ? consolePaths() : {}), ...callPaths(wsPaths) };
  return {
    openapi: "3.1.0",
    info: {
      title: "vectra-hub",
      version,
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    tags: [
      { name: "backend", description: "Those who have the secret: publish, and command the worker." },
      { name: "client", description: "Those who watch." },
      { name: "operator", description: "Those who keep the hub running." },
      { name: "worker", description: "The one that works." },
    ],
    paths: sorted(
      Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, { ...item, ...other }])),
    ),
    components: {
      schemas: jsonSchemas(
        [...BODY_NAMES, "Cursor", "IdempotencyKey", "Message", "RawCommand"],
        "draft-2020-12",
      ),
      responses: {
        OtherMethod: problems(["method_not_allowed"], CORS)["405"],
        OtherPath: problems(["not_found"])["404"],
      },
      parameters: sorted(PARAMETERS),
      examples: sorted(problemExamples()),
      headers: sorted(headerObjects()),
      securitySchemes: sorted(SECURITY_SCHEMES),
    },
    "x-other-paths": { $ref: "#/components/responses/OtherPath" },
  };
}
