/** Reads CLIENT_AUTH_URL. */
export function parseAuthUrl(
  text: string,
): { readonly ok: true; readonly url: string } | { readonly ok: false; readonly why: string } {
  const url = URL.parse(text);
  if (url === null) return { ok: false, why: "is no URL" };
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { ok: false, why: "is neither an http nor an https URL" };
  }
  if (url.username !== "" || url.password !== "") {
    return { ok: false, why: "holds a user name or password, in whose place the client's own would be sent" };
  }
  if (url.hash !== "") return { ok: false, why: "has a fragment, which is never sent" };
  return { ok: true, url: url.href };
}
