/**
 * The query of a request. Not by way of `new URL`, which throws where the Host header is no host name: a peer may write
 * there what it likes.
 */
export function queryOf(request: Request): URLSearchParams {
  const start = request.url.indexOf("?");
  return new URLSearchParams(start === -1 ? "" : request.url.slice(start + 1).split("#", 1)[0]);
}

/** The path of a request, for answers and logs. */
export function pathOf(request: Request): string {
  const path = /^(?:[a-z]+:\/\/[^/?#]*)?([^?#]*)/i.exec(request.url)?.[1] ?? "";
  return path === "" ? "/" : path;
}
