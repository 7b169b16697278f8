import { createHash, timingSafeEqual } from "node:crypto";
import type { Config } from "../config/schema.ts";

/**
 * Tells whether the secret that a worker or a backend presented is one of the hub's.
 * @param header the `x-worker-secret` header as Bun hands it over: one character for each byte
 * @param token the `token` query parameter, decoded; counts only where the header is missing or empty
 */
export type SecretCheck = (header: string | null, token: string | null) => "accepted" | "missing" | "wrong";

/**
 * PROTOCOL.md, section 1. Digests are compared, in constant time and all of them, so that the time taken says nothing
 * about the length of a secret, how much of it was right, or which of the two matched.
 */
export function createSecretCheck(secrets: readonly string[]): SecretCheck {
  const accepted = secrets.flatMap(encodings).map(digest);
  return (header, token) => {
    const presented = header ? Buffer.from(header, "latin1") : token ? Buffer.from(token, "utf8") : undefined;
    if (presented === undefined) return "missing";
    const candidate = digest(presented);
    let matches = 0;
    for (const expected of accepted) matches += timingSafeEqual(candidate, expected) ? 1 : 0;
    return matches > 0 ? "accepted" : "wrong";
  };
}

/** What workers and backends must present, and what operators may in its place. */
export function secretChecks(
  config: Pick<Config, "WORKER_SECRET" | "WORKER_SECRET_PREVIOUS" | "OPS_TOKEN">,
): { readonly checkSecret: SecretCheck; readonly checkOperator: SecretCheck } {
  const given = (secrets: readonly (string | undefined)[]): string[] =>
    secrets.filter((secret) => secret !== undefined);
  const secrets = given([config.WORKER_SECRET, config.WORKER_SECRET_PREVIOUS]);
  return {
    checkSecret: createSecretCheck(secrets),
    checkOperator: createSecretCheck(given([...secrets, config.OPS_TOKEN])),
  };
}

/** A secret beyond ASCII arrives as UTF-8 from Python's websockets, and as latin-1 from JavaScript's HTTP clients. */
function encodings(secret: string): Buffer[] {
  const utf8 = Buffer.from(secret, "utf8");
  const isLatin1 = [...secret].every((char) => char.charCodeAt(0) <= 0xff);
  return isLatin1 ? [utf8, Buffer.from(secret, "latin1")] : [utf8];
}

function digest(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
