import { describe, expect, test } from "bun:test";
import {
  createOpsRoutes,
  createRoutes,
  type OpsRoutesOptions,
  type RoutesOptions,
} from "../../../src/edge/routes.ts";
import { CLOSE } from "../../../src/protocol/close.ts";
import { asyncapiDocument } from "../../../src/protocol/contract/asyncapi.ts";
import { openapiDocument } from "../../../src/protocol/contract/openapi.ts";
import { PROBLEM_CODES, PROBLEMS, problemType } from "../../../src/protocol/contract/problems.ts";
import { DEFAULTS } from "../../support/contract.ts";
import { at, isJson, type Json, resolve } from "../../support/json-document.ts";
import { configOf } from "../../support/load-config.ts";

// Everything that is served is in the documents, and nothing else is.

const openapi = openapiDocument(DEFAULTS);
const asyncapi = asyncapiDocument(DEFAULTS);

/** `/a/:id` as OpenAPI writes it. */
function templateOf(route: string): string {
  return route.replaceAll(/:(\w+)/g, "{$1}");
}

/** What the hub would serve with these settings. Nothing is asked, so the routes' handlers need no hub behind them. */
function routesWith(env: Readonly<Record<string, string>>): string[] {
  const config = configOf({ env });
  const options = { config, hub: {}, guard: {}, health: {}, ops: {} };
  const tables = [
    createRoutes(options as unknown as RoutesOptions),
    createOpsRoutes(options as unknown as OpsRoutesOptions),
  ];
  return tables.flatMap((table) => Object.keys(table)).map(templateOf);
}

describe("the paths are those of the route tables", () => {
  const settings: [name: string, env: Record<string, string>][] = [
    ["by default", {}],
    ["with WS_PATHS", { WS_PATHS: "/socket,/a/b,/c" }],
    ["with CONSOLE", { CONSOLE: "true" }],
    ["without CONSOLE", { CONSOLE: "false" }],
  ];
  test.each(settings)("%s", (_, env) => {
    const { WS_PATHS, CONSOLE } = configOf({ env });
    const document = openapiDocument({ version: "1", wsPaths: WS_PATHS, hasConsole: CONSOLE });
    expect(Object.keys(at(document, "paths"))).toEqual([...new Set(routesWith(env))].toSorted());
  });

  test("which are many", () => {
    expect(routesWith({}).length).toBeGreaterThan(12);
  });
});

const operations = Object.entries(at(openapi, "paths")).flatMap(([path, item]) =>
  Object.entries(item as Json)
    .filter(([method]) => !method.startsWith("x-"))
    .map(([method, operation]) => ({ path, method, operation: operation as Json })),
);

test("every operation has a name of its own, and every parameter of its path", () => {
  const names = operations.map(({ operation }) => operation["operationId"]);
  expect(new Set(names).size).toBe(names.length);
  for (const { path, operation } of operations) {
    const parameters = ((operation["parameters"] ?? []) as Json[]).map((each) => resolve(openapi, each));
    const inPath = parameters.filter((each) => each["in"] === "path").map(({ name }) => `{${name}}`);
    expect(inPath).toEqual([...path.matchAll(/\{\w+\}/g)].map(([found]) => found));
    for (const { name } of parameters.filter((each) => each["in"] === "query")) {
      expect(String(name)).toMatch(/^[a-z_]+$/);
    }
  }
});

describe("problems", () => {
  const answers = operations
    .flatMap(({ operation }) => Object.entries(at(operation, "responses")))
    .concat(Object.entries({ 405: at(openapi, "components", "responses", "OtherMethod") }));
  const listed = answers.flatMap(([status, answer]) => {
    const { content } = answer as Json;
    const media = isJson(content) ? content["application/problem+json"] : undefined;
    const allOf = isJson(media) ? (at(media, "schema")["allOf"] as Json[]) : [];
    const types = allOf.flatMap((part) =>
      isJson(part["properties"]) ? [at(part, "properties", "type")] : [],
    );
    return types.flatMap((type) =>
      (type["enum"] as string[]).map((urn) => ({ urn, status: Number(status) })),
    );
  });

  test("of the hub's are all answers to something, with their status", () => {
    const found = new Map(listed.map(({ urn, status }) => [urn, status]));
    const all = PROBLEM_CODES.map((code) => ({ urn: problemType(code), status: PROBLEMS[code].status }));
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(all.map(({ urn, status }) => [urn, status])),
    );
  });
});

test("every close code is listed, with its reason and whether to come back", () => {
  expect(asyncapi["x-close-codes"]).toEqual(expect.arrayContaining(Object.values(CLOSE)));
  expect(asyncapi["x-close-codes"]).toHaveLength(Object.keys(CLOSE).length);
});

describe("AsyncAPI", () => {
  const channels = Object.entries(at(asyncapi, "channels"));

  test("has each way to be connected, on each of WS_PATHS", () => {
    const document = asyncapiDocument({ ...DEFAULTS, wsPaths: ["/a", "/b/c", "/d"] });
    const addresses = Object.values(at(document, "channels")).map((channel) => (channel as Json)["address"]);
    const each = ["/a", "/b/c", "/d"].flatMap((path) => [path, path, path, path]);
    expect(addresses.toSorted()).toEqual([...each, "/api/v1/events"].toSorted());
  });

  test("has an operation for every frame that a channel carries, and no other", () => {
    const used = Object.values(at(asyncapi, "operations")).flatMap((operation) => {
      const { messages, reply } = operation as Json;
      const answers = isJson(reply) ? (reply["messages"] as Json[]) : [];
      return [...(messages as Json[]), ...answers].map(({ $ref }) => String($ref));
    });
    const carried = channels.flatMap(([name, channel]) =>
      Object.keys(at(channel as Json, "messages")).map((message) => `#/channels/${name}/messages/${message}`),
    );
    expect([...new Set(used)].toSorted()).toEqual(carried.toSorted());
    expect(carried.length).toBeGreaterThan(40);
  });

  test("has every frame in a channel", () => {
    const carried = channels.flatMap(([, channel]) => Object.keys(at(channel as Json, "messages")));
    expect([...new Set(carried)].toSorted()).toEqual(Object.keys(at(asyncapi, "components", "messages")));
  });
});
