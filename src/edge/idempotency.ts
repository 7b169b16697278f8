import { keySchema } from "../protocol/envelope.ts";
import { badRequest, type ProblemDetails } from "./problem.ts";

export type IdempotencyKey =
  | { readonly ok: true; readonly key: string | undefined }
  | { readonly ok: false; readonly problem: ProblemDetails };

/** Reads the `Idempotency-Key` header of a POST (PROTOCOL.md, section 4). */
export function readIdempotencyKey(request: Request): IdempotencyKey {
  const header = request.headers.get("idempotency-key");
  if (header === null) return { ok: true, key: undefined };
  const parsed = keySchema.safeParse(header);
  if (parsed.success) return { ok: true, key: parsed.data };
  const why = parsed.error.issues[0]?.message ?? "is malformed";
  return { ok: false, problem: badRequest("bad_key", `Idempotency-Key ${why}`) };
}
