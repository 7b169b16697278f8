import { z } from "zod";
import { BODIES } from "./bodies.ts";
import type { Described } from "./described.ts";
import { FRAMES } from "./frames.ts";

/** A JSON Schema, or any other part of the documents. */
export type Json = Readonly<Record<string, unknown>>;

export type FrameName = keyof typeof FRAMES;
export type BodyName = keyof typeof BODIES;
export type SchemaName = FrameName | BodyName;

const ALL: Readonly<Record<string, Described>> = { ...FRAMES, ...BODIES };

export const BODY_NAMES = Object.keys(BODIES) as BodyName[];

/** What is said about one of the schemas. */
export function described(name: SchemaName): Described {
  return ALL[name] as Described;
}

/** A reference to one of the schemas, from anywhere in the document. */
export function schemaRef(name: SchemaName): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/**
 * These schemas and those that they refer to, as JSON Schema by name, sorted.
 * @param target 2020-12 is OpenAPI 3.1's dialect, draft 7 that of AsyncAPI 3.0
 */
export function jsonSchemas(
  names: readonly SchemaName[],
  target: "draft-7" | "draft-2020-12",
): Readonly<Record<string, Json>> {
  const registry = z.registry<{ id: string; description: string; examples: readonly unknown[] }>();
  for (const [id, { schema, description, examples, json }] of Object.entries(ALL)) {
    registry.add(schema, { id, description, examples, ...json });
  }
  const { schemas } = z.toJSONSchema(registry, {
    metadata: registry,
    target,
    // What is sent may get further members in a later version: readers must not be told that there are none.
    io: "input",
    uri: (id) => `#/components/schemas/${id}`,
    // A message is a function's check to zod; its keywords are in the registry.
    unrepresentable: "any",
  });
  const found = new Set<string>(names);
  // A set hands out what is added while it is walked.
  for (const name of found) {
    for (const [, inner] of JSON.stringify(schemas[name]).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      found.add(inner as string);
    }
  }
  return Object.fromEntries(
    [...found].toSorted().map((name) => {
      const { $schema: _dialect, $id: _id, ...schema } = schemas[name] as Json;
      return [name, schema];
    }),
  );
}

/** Members in the order of their names, so that the documents do not change with the order in which they are put together. */
export function sorted(members: Json): Json {
  return Object.fromEntries(Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
