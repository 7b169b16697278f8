import { describe, expect, test } from "bun:test";
import { asyncapiDocument } from "../../src/protocol/contract/asyncapi.ts";
import { type ContractOptions, openapiDocument } from "../../src/protocol/contract/openapi.ts";
import { type Answer, AUTHORIZED, type CallOptions, call } from "../support/api.ts";
import { DEFAULTS } from "../support/contract.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { at, isJson, type Json, resolve } from "../support/json-document.ts";
import { joinWorker } from "../support/parties.ts";
import { knock, knockSse } from "../support/visitor.ts";

// GET /openapi.json and /asyncapi.json (PROTOCOL.md section 4). test/unit/contract has what they say.

const DOCUMENTS = [
  ["/openapi.json", openapiDocument],
  ["/asyncapi.json", asyncapiDocument],
] as const;
const PATHS = DOCUMENTS.map(([path]) => path);

describe.each(DOCUMENTS)("%s", (path, documentOf) => {
  test("is that of the hub's source, version and settings", async () => {
    await using hub = await startHub({ env: { WS_PATHS: "/socket,/api/v1/ws" } });
    const answer = await call(hub, path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
    const options: ContractOptions = { ...DEFAULTS, wsPaths: ["/socket", "/api/v1/ws"] };
    expect(JSON.parse(answer.body)).toEqual(JSON.parse(JSON.stringify(documentOf(options))));
  });

  test("is open in production, to pages of all origins and without the secret", async () => {
    await using hub = await startHub({ env: { ENV: "production" } });
    const answer = await call(hub, path, { headers: { origin: "https://editor.example.com" } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    const options: ContractOptions = { ...DEFAULTS, hasConsole: false };
    expect(JSON.parse(answer.body)).toEqual(JSON.parse(JSON.stringify(documentOf(options))));
  });

  test("is sent once, and after that only when it has changed", async () => {
    await using hub = await startHub();
    await using other = await startHub({ env: { WS_PATHS: "/other" } });
    const first = await call(hub, path);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"\S+"$/);
    expect(first.headers.get("cache-control")).toBe("no-cache");
    for (const known of [etag, `W/${etag}`, `"else", ${etag}`, "*"]) {
      const again = await call(hub, path, { headers: { "if-none-match": known } });
      expect({ known, status: again.status, body: again.body }).toEqual({ known, status: 304, body: "" });
      expect(again.headers.get("etag")).toBe(etag);
    }
    const changed = await call(other, path, { headers: { "if-none-match": etag } });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).not.toBe(etag);
    expect((await call(hub, path)).body).toBe(first.body);
  });

  test("answers HEAD without the body, and no other method", async () => {
    await using hub = await startHub();
    const [head, get] = [await call(hub, path, { method: "HEAD" }), await call(hub, path)];
    expect({ status: head.status, body: head.body }).toEqual({ status: 200, body: "" });
    for (const name of ["content-type", "content-length", "etag"]) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
    const post = await call(hub, path, { method: "POST", body: "{}" });
    expect({ status: post.status, allow: post.headers.get("allow") }).toEqual({
      status: 405,
      allow: "GET, HEAD",
    });
  });

  test("is beside the clients' calls where operators have a port of their own", async () => {
    await using hub = await startHub({ env: { OPS_PORT: "0" } });
    expect((await call(hub, path)).status).toBe(200);
  });

  test("holds no secret", async () => {
    const token = "only-operators-know-this-0123456789";
    await using hub = await startHub({ env: { OPS_TOKEN: token } });
    const { body } = await call(hub, path);
    for (const secret of [AUTHORIZED["x-worker-secret"], token, "127.0.0.1"])
      expect(body).not.toContain(secret);
  });
});

describe("what /openapi.json promises is kept:", () => {
  const openapi = openapiDocument(DEFAULTS);
  const operations = Object.entries(at(openapi, "paths"))
    .flatMap(([path, item]) =>
      Object.entries(item as Json)
        .filter(([method]) => !method.startsWith("x-"))
        .map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation as Json] as const),
    )
    .filter(([name]) => !/ (\/ws|\/api\/v1\/ws|\/api\/v1\/events)$/.test(name));

  /** What a reader of the document would send: the examples, with the secret where one is asked for. */
  function requestOf(operation: Json): CallOptions {
    const security = operation["security"] as Json[];
    const headers: Record<string, string> = security.some((each) => "secret" in each)
      ? { ...AUTHORIZED }
      : {};
    const { requestBody } = operation;
    if (!isJson(requestBody)) return { headers };
    const [[type, media] = ["", {}]] = Object.entries(at(requestBody, "content"));
    const [example] = Object.values(at(media as Json, "examples")) as [Json];
    return { headers: { ...headers, "content-type": type }, body: JSON.stringify(example["value"]) };
  }

  async function ask(hub: Hub, name: string, options: CallOptions): Promise<Answer> {
    const [method = "", path = ""] = name.split(" ");
    return await call(hub, path.replaceAll(/\{\w+\}/g, "0011223344556677"), { ...options, method });
  }

  test.each(operations)("%s with its own example is answered as it says", async (name, operation) => {
    await using hub = await startHub();
    await using _worker = await joinWorker(hub);
    const { status } = await ask(hub, name, requestOf(operation));
    const successes = Object.keys(at(operation, "responses")).filter((code) => code.startsWith("2"));
    // What a path names in its braces exists only once somebody has made it.
    expect(name.includes("{") ? ["404"] : successes).toContain(String(status));
  });

  const needSecret = operations.filter(([, { security }]) =>
    (security as Json[]).every((each) => "secret" in each || "bearer" in each),
  );
  test.each(needSecret)("%s without the secret is 401", async (name, operation) => {
    await using hub = await startHub();
    const { body = "" } = requestOf(operation);
    const { status } = await ask(hub, name, body === "" ? {} : { body });
    expect({ status, documented: Object.keys(at(operation, "responses")) }).toEqual({
      status: 401,
      documented: expect.arrayContaining(["401"]),
    });
  });

  test("so many need it", () => {
    expect(needSecret.map(([name]) => name).toSorted()).toEqual([
      "GET /api/v1/stats",
      "GET /api/v1/worker/messages/{id}",
      "POST /api/v1/publish",
      "POST /api/v1/worker/messages",
    ]);
  });

  test("the event stream and the WebSockets open with the examples of their parameters", async () => {
    await using hub = await startHub();
    for (const path of ["/api/v1/events", "/ws", "/api/v1/ws"]) {
      const references = at(openapi, "paths", path, "get")["parameters"] as Json[];
      const given = references
        .map((reference) => resolve(openapi, reference))
        // Without the secret a worker is closed again, but opened first.
        .map(({ name, in: place, example }) => ({ name: String(name), place, example: String(example) }));
      const of = (place: string): [string, string][] =>
        given.filter((each) => each.place === place).map(({ name, example }) => [name, example]);
      const visit = {
        query: new URLSearchParams(of("query")).toString(),
        headers: Object.fromEntries(of("header")),
      };
      const answer = path === "/api/v1/events" ? await knockSse(hub, visit) : await knock(hub, visit);
      expect({ path, status: answer.status }).toEqual({
        path,
        status: path === "/api/v1/events" ? 200 : 101,
      });
    }
  });

  test.each(PATHS)("%s names no server, so that addresses are relative to it", async (path) => {
    await using hub = await startHub();
    const { servers } = JSON.parse((await call(hub, path)).body);
    const hosts = Object.values(servers ?? {}).map((server) => (server as Json)["host"]);
    expect(new Set(hosts)).toEqual(new Set(path === "/openapi.json" ? [] : ["{host}"]));
  });
});
