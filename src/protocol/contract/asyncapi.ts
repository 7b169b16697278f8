import { CLOSE } from "../close.ts";
import { channelsAndOperations } from "./channels.ts";
import type { ContractOptions } from "./openapi.ts";
import { SECURITY_SCHEMES } from "./parameters.ts";
import { EVENTS, PARTIES } from "./parties.ts";
import { described, type FrameName, type Json, jsonSchemas, schemaRef, sorted } from "./schemas.ts";

/** Frames that are no JSON but bare text. */
const BARE = new Set<FrameName>(["Ping", "Pong", "GetWorkerStatus"]);

const DESCRIPTION = `The frames of a vectra-hub, which sends the messages of one worker to many watching dashboards.

- What a WebSocket text frame holds is chosen by subprotocol: with \`vectra.stream.v1\` an envelope (stream framing), without it the message itself (raw framing).
- Messages are forwarded byte for byte and never re-serialised.
- Both sides send WebSocket pings. Binary frames are refused.
- \`x-close-codes\` lists the codes with which the hub closes a WebSocket, and whether to come back. The reasons may be more precise than those listed. Treat 1006, which is no code but the lack of one, like 1013.
- Later versions may add members to what the hub sends: ignore those that you do not know.`;

/** The contract of WebSockets and event streams: AsyncAPI 3.0, from the zod schemas (PROTOCOL.md). The same for the same options. */
export function asyncapiDocument({ version, wsPaths }: ContractOptions): Json {
  const frames = [
    ...new Set<FrameName>([
      ...Object.values(PARTIES).flatMap(({ sends, receives }) => [...sends, ...receives]),
      ...Object.values(EVENTS),
    ]),
  ];
  const { channels, operations } = channelsAndOperations(wsPaths);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "vectra-hub",
      version,
      description: DESCRIPTION,
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: Object.fromEntries(
      ["http", "https", "ws", "wss"].map((protocol) => [protocol, server(protocol)]),
    ),
    channels: sorted(channels),
    operations: sorted(operations),
    components: {
      schemas: jsonSchemas(frames, "draft-7"),
      messages: sorted(Object.fromEntries(frames.map((name) => [name, message(name)]))),
      securitySchemes: {
        secret: {
          ...SECURITY_SCHEMES.secret,
          // AsyncAPI tells keys that are sent over HTTP from those of other protocols.
          type: "httpApiKey",
        },
        workerToken: { ...SECURITY_SCHEMES.workerToken, type: "httpApiKey" },
      },
    },
    "x-close-codes": Object.values(CLOSE).toSorted((a, b) => a.code - b.code),
  };
}

function server(protocol: string): Json {
  return {
    host: "{host}",
    protocol,
    description: "The hub that this document came from.",
    variables: {
      host: { description: "Host and port of the hub.", default: "localhost:8000" },
    },
  };
}

function message(name: FrameName): Json {
  const { description, examples } = described(name);
  return {
    name,
    contentType: BARE.has(name) ? "text/plain" : "application/json",
    description,
    payload: schemaRef(name),
    examples: examples.map((payload) => ({ payload })),
  };
}
