import { contract } from "./contract.ts";
import { at, isJson, type Json, resolve } from "./json-document.ts";

/** What is asked. The path may have a query. */
export interface Asked {
  readonly method?: string | undefined;
  readonly path: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** What HTTP itself and the server below the hub put into answers. */
const AMBIENT = ["connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"];

/** What HTTP itself forbids is answered without a word: see the description of the document. */
const FORBIDDEN_BY_HTTP = [400, 431];

/**
 * Fails on an answer of the hub's that /openapi.json does not have for what was asked: another status, header or body. An
 * answer with a Server header is a proxy's, because the hub sends none.
 */
export function checkAnswer(asked: Asked, answer: Answered): void {
  if (answer.headers.has("server")) return;
  const { method = "GET" } = asked;
  const isBare = answer.body === "" && !answer.headers.has("content-type");
  if (FORBIDDEN_BY_HTTP.includes(answer.status) && isBare) return;
  try {
    const response = responseFor(method, pathOf(asked.path), answer.status);
    checkHeaders(response, answer.headers);
    checkBody(response, answer, method === "HEAD");
  } catch (error) {
    const said = `${answer.status} ${JSON.stringify([...answer.headers])} ${answer.body.slice(0, 500)}`;
    throw new Error(`${method} ${asked.path}: ${error instanceof Error ? error.message : error}: ${said}`);
  }
}

function pathOf(target: string): string {
  return target.replace(/^[a-z]+:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
}

function responseFor(method: string, path: string, status: number): Json {
  const { openapi } = contract();
  // With other settings than the document's a path may be missing, or be on another port.
  if (status === 404) return resolve(openapi, at(openapi, "x-other-paths"));
  const item = pathItemOf(at(openapi, "paths"), path);
  const operation = item[method === "HEAD" ? "get" : method.toLowerCase()] ?? item["get"] ?? item["post"];
  if (status === 405) return resolve(openapi, at(item, "x-other-methods"));
  const response = isJson(operation) ? at(operation, "responses")[String(status)] : undefined;
  if (!isJson(response)) throw new Error(`the contract has no status ${status} here`);
  return response;
}

/** A path that is not in the document is a WebSocket's: tests set WS_PATHS. */
function pathItemOf(paths: Json, path: string): Json {
  const template =
    Object.keys(paths).find((each) => each === path) ??
    Object.keys(paths).find((each) =>
      new RegExp(`^${each.replaceAll(".", "\\.").replace(/\{\w+\}/, "[^/]+")}$`).test(path),
    );
  return at(paths, template ?? "/ws");
}

function checkHeaders(response: Json, headers: Headers): void {
  const documented = isJson(response["headers"]) ? response["headers"] : {};
  const names = new Set(Object.keys(documented).map((name) => name.toLowerCase()));
  for (const name of headers.keys()) {
    if (!names.has(name) && !AMBIENT.includes(name))
      throw new Error(`the contract has no header ${name} here`);
  }
  for (const [name, reference] of Object.entries(documented)) {
    const header = resolve(contract().openapi, reference as Json);
    const value = headers.get(name);
    if (value === null && header["required"] === true) throw new Error(`the header ${name} is missing`);
    if (value !== null && !contract().answers(at(header, "schema"))(value)) {
      throw new Error(`the contract has no ${name}: ${value}`);
    }
  }
}

function checkBody(response: Json, { headers, body }: Answered, isHead: boolean): void {
  const content = response["content"];
  if (!isJson(content)) {
    if (body !== "") throw new Error("the contract has no body here");
    return;
  }
  const mediaType = (headers.get("content-type") ?? "").split(";", 1)[0]?.trim() ?? "";
  const media = content[mediaType];
  if (!isJson(media))
    throw new Error(`the contract has no ${mediaType === "" ? "body without a type" : mediaType} here`);
  if (isHead) {
    if (body !== "") throw new Error("a body in the answer to HEAD");
    return;
  }
  if (!mediaType.endsWith("json")) return;
  if (!contract().answers(at(media, "schema"))(JSON.parse(body))) {
    throw new Error("the contract has no body like this one");
  }
}
