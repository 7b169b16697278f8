/** JSON objects as documents: references, and schemas that take nothing unknown. */

export type Json = { readonly [name: string]: unknown };

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object at the end of these names; fails where there is none. */
export function at(from: Json, ...names: readonly string[]): Json {
  let found: unknown = from;
  for (const name of names) found = isJson(found) ? found[name] : undefined;
  if (!isJson(found)) throw new Error(`nothing at ${names.join(" / ")}`);
  return found;
}

/** What a reference leads to (RFC 6901, section 6), or the object itself where it is none; fails where it leads nowhere. */
export function resolve(document: Json, object: Json): Json {
  const reference = object["$ref"];
  if (typeof reference !== "string") return object;
  const [start, ...names] = reference.split("/");
  if (start !== "#") throw new Error(`not into this document: ${reference}`);
  return at(
    document,
    ...names.map((name) => decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")),
  );
}

/** The document with every schema of an object that lists its members closed to others. */
export function sealed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sealed);
  if (!isJson(value)) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, sealed(part)]));
  const isOpen =
    value["type"] === "object" && isJson(value["properties"]) && !("additionalProperties" in value);
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}
