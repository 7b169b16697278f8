/** Names that a message may not carry as its top-level `type` (PROTOCOL.md, section 0). */
export const WORKER_STATUS = "WORKER_STATUS";
export const REGISTER_WORKER = "REGISTER_WORKER";
/** The hub's own probe (CANARY_INTERVAL_MS): only who filters for it gets it. */
export const CANARY = "VECTRA_CANARY";

/** Only the hub sends the first and the third, only a worker's socket the second. */
export function isReserved(type: string | undefined): boolean {
  return type === WORKER_STATUS || type === REGISTER_WORKER || type === CANARY;
}

/** What a text turned out to be. */
export type Parsed =
  | {
      readonly code: "object";
      readonly value: Readonly<Record<string, unknown>>;
      readonly type: string | undefined;
    }
  | { readonly code: "not_object"; readonly found: string }
  | { readonly code: "invalid_json" };

/**
 * Reads a text once, to learn whether it is a message (one JSON object) and of which type. What is forwarded is the text
 * itself, never the value read from it, because reading loses 64-bit integers, `1.0`, key order and duplicate keys.
 */
export function parseMessage(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { code: "invalid_json" };
  }
  if (!isObject(value)) return { code: "not_object", found: kindOf(value) };
  return { code: "object", value, type: typeof value["type"] === "string" ? value["type"] : undefined };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
