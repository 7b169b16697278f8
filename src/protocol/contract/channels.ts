import { STREAM_SUBPROTOCOL } from "../subprotocol.ts";
import { PARAMETERS, type ParameterName } from "./parameters.ts";
import { EVENTS, PARTIES, type Party, type PartyName } from "./parties.ts";
import type { FrameName, Json } from "./schemas.ts";

const EVENTS_CHANNEL = "events";

/** What a channel's messages and operations are made from. */
interface Channel {
  readonly name: string;
  readonly party: Party;
  readonly channel: Json;
}

/**
 * One channel for each way to be connected: on a WebSocket by framing and role, on each path, and the event stream. The
 * operations are the hub's: what it sends, and what it receives.
 */
export function channelsAndOperations(wsPaths: readonly string[]): {
  readonly channels: Json;
  readonly operations: Json;
} {
  const all = [
    ...wsPaths.flatMap((path, at) => partyNames.map((name) => webSocket(name, path, at))),
    eventStream(),
  ];
  return {
    channels: Object.fromEntries(all.map(({ name, channel }) => [name, channel])),
    operations: Object.fromEntries(all.flatMap(operationsOf)),
  };
}

const partyNames = Object.keys(PARTIES) as PartyName[];

/** @param at the how-manieth of the paths: a channel's name must be unique */
function webSocket(partyName: PartyName, path: string, at: number): Channel {
  const party: Party = PARTIES[partyName];
  const name = at === 0 ? partyName : `${partyName}${at + 1}`;
  const isWorker = partyName.endsWith("Worker");
  const isStream = partyName.startsWith("stream");
  const query: Json = isWorker
    ? {
        type: "object",
        required: ["client_type"],
        properties: {
          client_type: { type: "string", const: "worker" },
          token: { type: "string", description: "The secret, where x-worker-secret is missing or empty." },
        },
      }
    : {
        type: "object",
        properties: {
          client_type: { type: "string", const: "client" },
          token: { type: "string", description: "What the service at CLIENT_AUTH_URL knows a client by." },
          ...queryProperties(isStream ? ["Types", "Since"] : ["Types"]),
        },
      };
  const headers: Json = {
    type: "object",
    ...(isStream ? { required: ["Sec-WebSocket-Protocol"] } : {}),
    properties: {
      ...(isStream ? { "Sec-WebSocket-Protocol": { type: "string", const: STREAM_SUBPROTOCOL } } : {}),
      ...(isWorker
        ? { "x-worker-secret": { type: "string", description: "The secret." } }
        : {
            Authorization: { type: "string", description: "Forwarded to CLIENT_AUTH_URL." },
            Cookie: { type: "string", description: "Forwarded to CLIENT_AUTH_URL." },
            Origin: { type: "string", description: PARAMETERS.Origin.description },
          }),
    },
  };
  return {
    name,
    party,
    channel: {
      address: path,
      title: party.title,
      description: party.description,
      servers: [{ $ref: "#/servers/ws" }, { $ref: "#/servers/wss" }],
      messages: messageRefs([...party.sends, ...party.receives]),
      bindings: { ws: { method: "GET", query, headers, bindingVersion: "0.1.0" } },
    },
  };
}

function eventStream(): Channel {
  const sends = Object.values(EVENTS);
  const party: Party = {
    title: "A client on an event stream",
    description:
      "Server-Sent Events (WHATWG HTML, section 9.2). The payload is the `data` of an event, on one line; its `id` is the cursor. An event without a name is a message. `retry:` comes first; every heartbeat brings a comment and a bare `id:` line, which makes no event. See /openapi.json for how to ask.",
    sends,
    receives: [],
    answers: {},
  };
  return {
    name: EVENTS_CHANNEL,
    party,
    channel: {
      address: "/api/v1/events",
      title: party.title,
      description: party.description,
      servers: [{ $ref: "#/servers/http" }, { $ref: "#/servers/https" }],
      messages: messageRefs(sends),
      "x-events": EVENTS,
    },
  };
}

function queryProperties(names: readonly ParameterName[]): Json {
  return Object.fromEntries(
    names.map((each) => {
      const { name, schema, description } = PARAMETERS[each];
      return [name, { ...schema, description }];
    }),
  );
}

function messageRefs(names: readonly FrameName[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
}

/** One operation for what the hub sends of its own accord, and one for each frame that it understands. */
function operationsOf({ name, party }: Channel): [string, Json][] {
  const channel = { $ref: `#/channels/${name}` };
  const refs = (names: readonly FrameName[]): Json[] =>
    names.map((frame) => ({ $ref: `#/channels/${name}/messages/${frame}` }));
  const security =
    name === EVENTS_CHANNEL || !name.includes("Worker")
      ? {}
      : {
          security: ["secret", "workerToken"].map((scheme) => ({
            $ref: `#/components/securitySchemes/${scheme}`,
          })),
        };
  const receives = party.receives.map((frame): [string, Json] => {
    const answers = party.answers[frame];
    const reply = answers === undefined ? {} : { reply: { channel, messages: refs(answers) } };
    return [
      `${name}.receive${frame}`,
      { action: "receive", channel, ...security, messages: refs([frame]), ...reply },
    ];
  });
  return [
    [`${name}.send`, { action: "send", channel, ...security, messages: refs(party.sends) }],
    ...receives,
  ];
}
