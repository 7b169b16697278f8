import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import manifest from "../../package.json" with { type: "json" };
import { asyncapiDocument } from "../../src/protocol/contract/asyncapi.ts";
import { type ContractOptions, openapiDocument } from "../../src/protocol/contract/openapi.ts";
import { at, type Json, resolve, sealed } from "./json-document.ts";

/**
 * The published contract as a check. The clients of the tests hand it all that the hub sends them; whatever fits nothing in
 * /asyncapi.json or /openapi.json fails the test, so that the documents cannot drift from the hub. Both are made here from
 * the same source; test/wire/contract.test.ts compares them with what the hub serves.
 */

/** The ways to be connected: the names of the channels. */
export type PartyName = "rawClient" | "rawWorker" | "streamClient" | "streamWorker";

/** From the hub, as the document sees it: `sends` is what it says, `receives` what it is told. */
export type Direction = "sends" | "receives";

type Check = (value: unknown) => boolean;

/** Of frames that begin alike so many are checked; after that one of so many, so that a crowd is not slowed down. */
const CHECKED_FULLY = 2_000;
const SAMPLE = 50;
const PREFIX_CHARS = 24;
const PREFIXES_MAX = 1_000;

/** Codes that no close frame of the hub's carries: the client's own, and the lack of one. */
const NOT_SENT = [1000, 1005, 1006];

/** The settings that a hub under test has, but for those that a test changes. */
export const DEFAULTS: ContractOptions = {
  version: manifest.version,
  wsPaths: ["/ws", "/api/v1/ws"],
  hasConsole: true,
};

interface Frames {
  /** Texts that stand for themselves. */
  readonly bare: Check[];
  readonly json: Check[];
}

interface Compiled {
  readonly openapi: Json;
  readonly frames: (party: string, direction: Direction) => Frames;
  /** By the name of the event. */
  readonly events: ReadonlyMap<string, Check>;
  readonly closeCodes: ReadonlySet<unknown>;
  readonly answers: (schema: Json) => Check;
}

let compiled: Compiled | undefined;

/** Compiled once in a process, when something is first checked. */
export function contract(): Compiled {
  compiled ??= compile();
  return compiled;
}

function compile(): Compiled {
  // Readers must not mind members that they do not know, but the hub may not send any that the contract does not list.
  const published = asyncapiDocument(DEFAULTS);
  const asyncapi = sealed(published) as Json;
  const openapi = sealed(openapiDocument(DEFAULTS)) as Json;
  const frameAjv = addFormats(new Ajv({ strict: false }));
  const answerAjv = addFormats(new Ajv2020({ strict: false }));
  frameAjv.addSchema(asyncapi, "sends");
  frameAjv.addSchema(published, "receives");
  answerAjv.addSchema(openapi, "openapi");

  const checkOf = (message: Json, direction: Direction): Check =>
    frameAjv.compile({ $ref: `${direction}${at(message, "payload")["$ref"]}` });
  const byParty = new Map<string, Frames>();
  const events = at(asyncapi, "channels", "events");
  return {
    openapi,
    frames(party, direction) {
      const key = `${party} ${direction}`;
      const known = byParty.get(key);
      if (known !== undefined) return known;
      const action = direction === "sends" ? "send" : "receive";
      const operations = Object.entries(asyncapi["operations"] as Json)
        .filter(
          ([name, operation]) => name.startsWith(`${party}.`) && (operation as Json)["action"] === action,
        )
        .flatMap(([, operation]) => (operation as Json)["messages"] as Json[]);
      const messages = operations.map((reference) => resolve(asyncapi, resolve(asyncapi, reference)));
      const of = (contentType: string): Check[] =>
        messages
          .filter((message) => message["contentType"] === contentType)
          .map((message) => checkOf(message, direction));
      const frames = { bare: of("text/plain"), json: of("application/json") };
      byParty.set(key, frames);
      return frames;
    },
    events: new Map(
      Object.entries(events["x-events"] as Json).map(([event, name]) => [
        event,
        checkOf(resolve(asyncapi, at(events, "messages", String(name))), "sends"),
      ]),
    ),
    closeCodes: new Set((asyncapi["x-close-codes"] as Json[]).map(({ code }) => code)),
    answers: (schema) => answerAjv.compile(rooted(schema)),
  };
}

const rootedSchemas = new WeakMap<Json, Json>();

/** The schema with its references leading into the document, so that it can be compiled by itself; and only once. */
function rooted(schema: Json): Json {
  const known = rootedSchemas.get(schema);
  if (known !== undefined) return known;
  const result: Json = JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"openapi#/'));
  rootedSchemas.set(schema, result);
  return result;
}

const seen = new Map<string, number>();

/** Whether a frame like this one has been checked so often that this one may pass. */
function isSkipped(party: PartyName, text: string): boolean {
  const prefix = `${party} ${text.slice(0, PREFIX_CHARS)}`;
  const count = (seen.get(prefix) ?? 0) + 1;
  if (count > 1 || seen.size < PREFIXES_MAX) seen.set(prefix, count);
  return count > CHECKED_FULLY && count % SAMPLE !== 0;
}

/** Fails on a text frame that the contract does not have for this party. */
export function checkFrame(party: PartyName, text: string, direction: Direction = "sends"): void {
  if (isSkipped(party, text)) return;
  const { bare, json } = contract().frames(party, direction);
  if (bare.some((fits) => fits(text))) return;
  const value = parsed(text);
  if (value !== undefined && json.some((fits) => fits(value))) return;
  throw new Error(`the contract has no frame like this one (${party} ${direction}): ${text.slice(0, 500)}`);
}

/** Fails on an event that the contract does not have. @param name that in `event:`; without one it is a message */
export function checkEvent(name: string | undefined, data: string): void {
  const value = parsed(data);
  if (value !== undefined && contract().events.get(name ?? "message")?.(value) === true) return;
  throw new Error(`the contract has no event like this one (${name ?? "no name"}): ${data.slice(0, 500)}`);
}

/** Fails on a close code that the contract does not list. */
export function checkClose(code: number): void {
  if (contract().closeCodes.has(code) || NOT_SENT.includes(code)) return;
  throw new Error(`the contract has no close code ${code}`);
}

/** Which channel a WebSocket is: the last of several roles counts. */
export function partyOf(url: string, subprotocol: string | null | undefined): PartyName {
  const isWorker = new URL(url).searchParams.getAll("client_type").at(-1) === "worker";
  if (subprotocol === "vectra.stream.v1") return isWorker ? "streamWorker" : "streamClient";
  return isWorker ? "rawWorker" : "rawClient";
}

/** Keeps the first thing that was wrong with what came in an event handler, where nobody would see a throw. */
export interface Watch {
  /** Checks, and keeps what `check` throws. */
  see(check: () => void): void;
  /** Throws it. */
  verify(): void;
}

export function createWatch(): Watch {
  let wrong: unknown;
  return {
    see(check) {
      try {
        check();
      } catch (error) {
        wrong ??= error;
      }
    },
    verify() {
      if (wrong !== undefined) throw wrong;
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
