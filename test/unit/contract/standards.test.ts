import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { asyncapiDocument } from "../../../src/protocol/contract/asyncapi.ts";
import { openapiDocument } from "../../../src/protocol/contract/openapi.ts";
import { DEFAULTS } from "../../support/contract.ts";
import { at, isJson, type Json, resolve } from "../../support/json-document.ts";

// The documents are what they say they are: valid by the standards' own published schemas, and whole in themselves.

const modules = join(import.meta.dir, "../../../node_modules");
const openapi = openapiDocument(DEFAULTS);
const asyncapi = asyncapiDocument(DEFAULTS);
const documents: [name: string, document: Json][] = [
  ["OpenAPI", openapi],
  ["AsyncAPI", asyncapi],
];

/** Every object in a document, with the names that lead to it. */
function* objectsIn(value: unknown, path: readonly string[] = []): Generator<[readonly string[], Json]> {
  if (typeof value !== "object" || value === null) return;
  if (isJson(value)) yield [path, value];
  for (const [name, inner] of Object.entries(value)) yield* objectsIn(inner, [...path, name]);
}

async function published(...path: string[]): Promise<Json> {
  return await Bun.file(join(modules, ...path)).json();
}

/**
 * The published schema of OpenAPI 3.1. Its edition of 2021 wants references to be absolute, which later ones do not
 * (`format` is a comment there anyway); and ajv does not find the place that its `$dynamicRef` leads to, which is the
 * dialect for schemas.
 */
async function openapiValidator() {
  const ajv = addFormats(new Ajv2020({ strict: false }));
  ajv.addFormat("media-range", /^[^/\s]+\/[^/\s]+$/);
  const folder = ["@apidevtools", "openapi-schemas", "schemas", "v3.1"];
  ajv.addSchema(await published(...folder, "meta", "base.schema.json"));
  ajv.addSchema(await published(...folder, "dialect", "base.schema.json"));
  const text = JSON.stringify(await published(...folder, "schema.json"));
  const repaired = text
    .replaceAll('"format":"uri"', '"format":"uri-reference"')
    .replaceAll('"$dynamicRef":"#meta"', '"$ref":"https://spec.openapis.org/oas/3.1/dialect/base"');
  expect(repaired).not.toContain("$dynamicRef");
  return ajv.compile(JSON.parse(repaired));
}

async function asyncapiValidator() {
  // It brings JSON Schema's own schema along, which ajv would have twice.
  const ajv = addFormats(new Ajv({ strict: false, meta: false, validateSchema: false }));
  return ajv.compile(await published("@asyncapi", "specs", "schemas", "3.0.0.json"));
}

describe("the standard's own schema", () => {
  test("takes the OpenAPI document", async () => {
    const validate = await openapiValidator();
    validate(openapi);
    expect(validate.errors).toBeNull();
  });

  test("takes the AsyncAPI document", async () => {
    const validate = await asyncapiValidator();
    validate(asyncapi);
    expect(validate.errors).toBeNull();
  });

  test("of OpenAPI refuses one with a mistake", async () => {
    const validate = await openapiValidator();
    const mistakes: [string, (document: Json) => void][] = [
      ["no title", (document) => remove(at(document, "info"), "title")],
      ["an unknown member", (document) => set(at(document, "paths", "/healthz", "get"), "respones", {})],
      [
        "no description",
        (document) => remove(at(document, "components", "responses", "OtherPath"), "description"),
      ],
      ["no schema", (document) => set(at(document, "components", "schemas", "Receipt"), "type", "objekt")],
    ];
    for (const [name, make] of mistakes) {
      const document = structuredClone(openapi);
      make(document);
      expect({ name, ok: validate(document) }).toEqual({ name, ok: false });
    }
  });

  test("of AsyncAPI refuses one with a mistake", async () => {
    const validate = await asyncapiValidator();
    const mistakes: [string, (document: Json) => void][] = [
      ["no version", (document) => remove(at(document, "info"), "version")],
      ["an unknown action", (document) => set(at(document, "operations", "rawClient.send"), "action", "say")],
      ["an unknown member", (document) => set(at(document, "channels", "rawClient"), "adress", "/ws")],
      ["no schema", (document) => set(at(document, "components", "schemas", "Hello"), "oneOf", {})],
    ];
    for (const [name, make] of mistakes) {
      const document = structuredClone(asyncapi);
      make(document);
      expect({ name, ok: validate(document) }).toEqual({ name, ok: false });
    }
  });
});

function remove(from: Json, name: string): void {
  expect(Reflect.has(from, name)).toBe(true);
  Reflect.deleteProperty(from, name);
}

function set(on: Json, name: string, value: unknown): void {
  Reflect.set(on, name, value);
}

describe.each(documents)("%s:", (_, document) => {
  test("every reference leads somewhere", () => {
    const references = [...objectsIn(document)].filter(([, { $ref }]) => typeof $ref === "string");
    expect(references.length).toBeGreaterThan(50);
    for (const [path, reference] of references) {
      expect(() => resolve(document, reference), path.join(" / ")).not.toThrow();
    }
  });

  test("every component is referred to", () => {
    const text = JSON.stringify(document);
    const { schemas, messages, responses, parameters, examples, headers } = at(document, "components");
    for (const [kind, all] of Object.entries({
      schemas,
      messages,
      responses,
      parameters,
      examples,
      headers,
    })) {
      for (const name of Object.keys(all ?? {})) expect(text).toContain(`"#/components/${kind}/${name}"`);
    }
  });

  test("every word in the schemas is one of JSON Schema's", () => {
    const ajv = addFormats(document === openapi ? new Ajv2020({ strict: true }) : new Ajv({ strict: true }));
    for (const [name, schema] of Object.entries(at(document, "components", "schemas"))) {
      ajv.addSchema(schema as Json, `#/components/schemas/${name}`);
    }
    for (const name of Object.keys(at(document, "components", "schemas"))) {
      expect(ajv.getSchema(`#/components/schemas/${name}`), name).toBeFunction();
    }
  });

  test("is the same each time, with its parts in order", () => {
    const again = document === openapi ? openapiDocument(DEFAULTS) : asyncapiDocument(DEFAULTS);
    expect(JSON.stringify(again)).toBe(JSON.stringify(document));
    const components = Object.entries(at(document, "components")).filter(([, part]) => isJson(part));
    const parts = [...components.map(([, part]) => part), document["paths"], document["channels"]];
    for (const part of [...parts, document["operations"]]) {
      const names = Object.keys(part ?? {});
      expect(names).toEqual(names.toSorted());
    }
  });

  test("everything is described", () => {
    for (const [path, object] of objectsIn(document)) {
      const isComponent = path.length === 3 && path[0] === "components" && path[1] !== "examples";
      const isAnswer = path.at(-2) === "responses";
      if (!isComponent && !isAnswer) continue;
      const { description } = resolve(document, object);
      expect({ path, description }).toEqual({ path, description: expect.stringMatching(/\w{2}/) });
    }
  });
});
