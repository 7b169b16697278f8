import { createHash } from "node:crypto";

/** A strong validator of the content (RFC 9110, section 8.8.3). */
export function etagOf(content: string | Uint8Array): string {
  return `"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
}

/** Has the caller this very content, so that 304 is the answer (RFC 9110, section 13.1.2)? */
export function isUnchanged(request: Request, etag: string): boolean {
  const known = (request.headers.get("if-none-match") ?? "")
    .split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""));
  return known.includes("*") || known.includes(etag);
}
