import { type ProblemDetails, tooLarge } from "./problem.ts";

export type Body =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: ProblemDetails };

/**
 * Reads a request body as strict UTF-8. Bun's own `text()` would drop a BOM and replace bad bytes, and what is published
 * would not be what was sent. A BOM stays, and JSON then refuses it (RFC 8259, section 8.1).
 * @param limitBytes a larger body is refused with 413 as soon as that is known, and not read to its end
 */
export async function readBody(request: Request, limitBytes: number): Promise<Body> {
  const declaredBytes = Number(request.headers.get("content-length") ?? 0);
  if (declaredBytes > limitBytes) return { ok: false, problem: tooLarge(limitBytes) };
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of request.body ?? []) {
    byteCount += chunk.byteLength;
    if (byteCount > limitBytes) return { ok: false, problem: tooLarge(limitBytes) };
    chunks.push(chunk);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
    return { ok: true, text };
  } catch {
    return {
      ok: false,
      problem: {
        status: 400,
        code: "invalid_utf8",
        title: "Invalid UTF-8",
        detail: "the body is not valid UTF-8",
      },
    };
  }
}

/** `application/json; charset=utf-8` → `application/json`. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}
