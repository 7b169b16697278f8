import type { Config } from "../config/schema.ts";
import type { ContractOptions } from "../protocol/contract/openapi.ts";
import { VERSION } from "../version.ts";
import { etagOf, isUnchanged } from "./etag.ts";

/** What answers `GET /openapi.json` and `GET /asyncapi.json`. */
export interface ContractRoutes {
  openapi(request: Request): Promise<Response>;
  asyncapi(request: Request): Promise<Response>;
}

interface Document {
  readonly text: string;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The contract (PROTOCOL.md, section 4). It holds nothing secret, so anyone may read it, pages of all origins included.
 * Each document is put together when it is first asked for: a start does not wait for it, nor even load what it is made of.
 */
export function createContractRoutes(config: Pick<Config, "WS_PATHS" | "CONSOLE">): ContractRoutes {
  const options: ContractOptions = {
    version: VERSION,
    wsPaths: config.WS_PATHS,
    hasConsole: config.CONSOLE,
  };
  const openapi = once(async () =>
    (await import("../protocol/contract/openapi.ts")).openapiDocument(options),
  );
  const asyncapi = once(async () =>
    (await import("../protocol/contract/asyncapi.ts")).asyncapiDocument(options),
  );
  return {
    openapi: async (request) => answer(request, await openapi()),
    asyncapi: async (request) => answer(request, await asyncapi()),
  };
}

function once(build: () => Promise<unknown>): () => Promise<Document> {
  let document: Promise<Document> | undefined;
  return () => {
    if (document === undefined) document = build().then(ready);
    return document;
  };
}

function ready(built: unknown): Document {
  const text = JSON.stringify(built);
  const etag = etagOf(text);
  // Kept, but asked about each time: another version of the hub may have taken this one's place.
  return { text, etag, headers: { "access-control-allow-origin": "*", "cache-control": "no-cache", etag } };
}

function answer(request: Request, { text, etag, headers }: Document): Response {
  return isUnchanged(request, etag)
    ? new Response(null, { status: 304, headers })
    : new Response(text, { headers: { ...headers, "content-type": "application/json" } });
}
