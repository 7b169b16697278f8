import type { SecretCheck } from "./secret.ts";

/**
 * Checks the secret of an HTTP caller: `x-worker-secret`, or `Authorization: Bearer` where that is missing (PROTOCOL.md,
 * section 4). Both arrive as one character for each byte.
 */
export function checkCaller(checkSecret: SecretCheck, headers: Headers): ReturnType<SecretCheck> {
  const bearer = /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? null;
  return checkSecret(headers.get("x-worker-secret") || bearer, null);
}
