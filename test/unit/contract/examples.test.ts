import { describe, expect, test } from "bun:test";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { asyncapiDocument } from "../../../src/protocol/contract/asyncapi.ts";
import { openapiDocument } from "../../../src/protocol/contract/openapi.ts";
import { DEFAULTS } from "../../support/contract.ts";
import { at, isJson, type Json, resolve, sealed } from "../../support/json-document.ts";

// Every example is one: it fits its own schema, and has no member that the schema does not list.

const openapi = sealed(openapiDocument(DEFAULTS)) as Json;
const asyncapi = sealed(asyncapiDocument(DEFAULTS)) as Json;
const ofOpenapi = addFormats(new Ajv2020({ strict: false }));
const ofAsyncapi = addFormats(new Ajv({ strict: false }));
ofOpenapi.addSchema(openapi, "openapi");
ofAsyncapi.addSchema(asyncapi, "asyncapi");

interface Example {
  readonly where: string;
  readonly schema: Json;
  readonly value: unknown;
}

/** Whatever has a schema and examples of it: parameters, headers, media types. */
function* openapiExamples(value: unknown, where = ""): Generator<Example> {
  if (typeof value !== "object" || value === null) return;
  if (isJson(value) && isJson(value["schema"])) {
    const { schema, example, examples } = value;
    if (example !== undefined) yield { where, schema, value: example };
    for (const [name, one] of Object.entries(examples ?? {})) {
      yield { where: `${where}/${name}`, schema, value: resolve(openapi, one as Json)["value"] };
    }
  }
  for (const [name, inner] of Object.entries(value)) yield* openapiExamples(inner, `${where}/${name}`);
}

function fits(ajv: Ajv, id: string, schema: Json, value: unknown): boolean {
  const rooted = JSON.stringify(schema).replaceAll('"$ref":"#/', `"$ref":"${id}#/`);
  return ajv.compile(JSON.parse(rooted))(value);
}

describe("OpenAPI", () => {
  const all = [...openapiExamples(openapi)];

  test("every example fits its schema", () => {
    expect(all.length).toBeGreaterThan(100);
    for (const { where, schema, value } of all) {
      const ok = fits(ofOpenapi, "openapi", schema, value);
      expect({ where, value, ok }).toEqual({ where, value, ok: true });
    }
  });

  test("every body in JSON and every parameter has an example", () => {
    const paths = at(openapi, "paths");
    for (const [path, item] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(item as Json)) {
        const { requestBody, responses } = operation as Json;
        for (const holder of [requestBody, ...Object.values(responses ?? {})]) {
          const content = isJson(holder) && isJson(holder["content"]) ? holder["content"] : {};
          for (const [type, media] of Object.entries(content)) {
            // The documents are too large to be examples in themselves, and so is the page.
            if (
              /^\/(openapi\.json|asyncapi\.json|console\/|$)/.test(path) &&
              !type.startsWith("application/problem")
            )
              continue;
            expect({
              path,
              method,
              type,
              count: Object.keys((media as Json)["examples"] ?? {}).length > 0,
            }).toEqual({
              ...{ path, method, type },
              count: true,
            });
          }
        }
      }
    }
    for (const parameter of Object.values(at(openapi, "components", "parameters"))) {
      expect(parameter as Json).toHaveProperty("example");
    }
  });
});

describe("AsyncAPI", () => {
  const messages = Object.entries(at(asyncapi, "components", "messages")) as [string, Json][];
  const examplesOf = (message: Json): unknown[] =>
    (message["examples"] as Json[]).map(({ payload }) => payload);

  test.each(messages)("every example of %s fits its schema", (_, message) => {
    expect(examplesOf(message).length).toBeGreaterThan(0);
    for (const payload of examplesOf(message)) {
      expect({ payload, ok: fits(ofAsyncapi, "asyncapi", at(message, "payload"), payload) }).toEqual({
        payload,
        ok: true,
      });
    }
  });

  test.each(messages)("a frame of another kind is no %s", (name, message) => {
    const { contentType } = message;
    const others = messages.filter(([other]) => other !== name).flatMap(([, other]) => examplesOf(other));
    const taken = others.filter((payload) => fits(ofAsyncapi, "asyncapi", at(message, "payload"), payload));
    // Raw framing has no envelope: any object that has not one of the hub's own types is a message, or a command.
    const isOpen = ["Message", "RawCommand", "StreamMessage"].includes(name);
    if (isOpen) expect(taken.length).toBeGreaterThan(1);
    else if (contentType === "text/plain") expect(taken).toEqual([]);
    else expect(taken.every((payload) => sameKind(payload, examplesOf(message)))).toBe(true);
  });
});

/** Frames of two kinds may be told apart by who sends them alone: both are an `ack`, or both have the hub's own type. */
function sameKind(payload: unknown, examples: readonly unknown[]): boolean {
  return examples.some(
    (example) => isJson(example) && isJson(payload) && example["type"] === payload["type"],
  );
}
