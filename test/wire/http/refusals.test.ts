import { describe, expect, test } from "bun:test";
import {
  AUTHORIZED,
  call,
  detailOf,
  expectProblem,
  JSON_BODY,
  NDJSON_BODY,
  publish,
  sendCommand,
} from "../../support/api.ts";
import { rawRequest } from "../../support/http.ts";
import { SECRET, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, online } from "../../support/parties.ts";
import { handshake } from "../../support/rawsocket.ts";

// The refusals of PROTOCOL.md section 4 that a single request brings about, each with its status, type and body. The others:
// authorization.test.ts (401), limits.test.ts (413), idempotency.test.ts (422), queue.test.ts (503).

const PUBLISH = "/api/v1/publish";
const COMMANDS = "/api/v1/worker/messages";
const COMMAND = "/api/v1/worker/messages/0011223344556677";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const inString = (...values: number[]): Uint8Array =>
  Buffer.concat([Buffer.from('{"s":"'), bytes(...values), Buffer.from('"}')]);

const REFUSED_BODIES: Record<string, [string | Uint8Array, kind: string]> = {
  nothing: ["", "invalid_json"],
  "white space": [" \r\n\t", "invalid_json"],
  "half an object": ['{"type":"A"', "invalid_json"],
  "two objects": ["{}{}", "invalid_json"],
  "two lines of an object each": ["{}\n{}\n", "invalid_json"],
  NaN: ['{"n":NaN}', "invalid_json"],
  "a trailing comma": ['{"n":1,}', "invalid_json"],
  "single quotes": ["{'n':1}", "invalid_json"],
  "a raw line end in a string": ['{"s":"a\nb"}', "invalid_json"],
  "a no-break space": ["\u00a0{}", "invalid_json"],
  "a byte order mark": ["\ufeff{}", "invalid_json"],
  "a byte order mark alone": ["\ufeff", "invalid_json"],
  "a list": ["[]", "not_object"],
  "a list of objects": ["[{}]", "not_object"],
  "a string": ['"type"', "not_object"],
  "a number": ["1", "not_object"],
  null: ["null", "not_object"],
  true: ["true", "not_object"],
  WORKER_STATUS: ['{"type":"WORKER_STATUS","status":"online","metadata":{}}', "reserved_type"],
  REGISTER_WORKER: ['{"type":"REGISTER_WORKER","metadata":{}}', "reserved_type"],
  "a reserved type in escapes": ['{"\\u0074ype":"WORKER\\u005fSTATUS"}', "reserved_type"],
  "a reserved type behind another": ['{"type":"A","type":"WORKER_STATUS"}', "reserved_type"],
  "a byte that UTF-8 does not know": [inString(0xff), "invalid_utf8"],
  "latin-1": [inString(0xe9), "invalid_utf8"],
  "an overlong form": [inString(0xc0, 0xaf), "invalid_utf8"],
  "a surrogate": [inString(0xed, 0xa0, 0x80), "invalid_utf8"],
  "a letter cut off": [Buffer.concat([Buffer.from("{}"), bytes(0xe2, 0x82)]), "invalid_utf8"],
  "UTF-16": [Buffer.from("{}", "utf16le"), "invalid_json"],
  "UTF-16 with its byte order mark": [
    Buffer.concat([bytes(0xff, 0xfe), Buffer.from("{}", "utf16le")]),
    "invalid_utf8",
  ],
};

describe.each([PUBLISH, COMMANDS])("a body for %s is refused with 400:", (path) => {
  test.each(Object.keys(REFUSED_BODIES))("%s", async (name) => {
    const [body, kind] = REFUSED_BODIES[name] ?? ["", ""];
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    expectProblem(await call(hub, path, { method: "POST", headers: JSON_BODY, body }), 400, kind);
    expect(await client.untilPong()).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
  });
});

test("a reserved name anywhere but in the top-level type is nothing special", async () => {
  await using hub = await startHub();
  await using client = await joinClient(hub);
  const texts = [
    '{"type":"A","data":{"type":"WORKER_STATUS"}}',
    '{"type":"worker_status"}',
    '{"type":["REGISTER_WORKER"]}',
  ];
  for (const text of texts) expect((await publish(hub, text)).status).toBe(202);
  expect(await client.untilPong()).toEqual(texts);
});

describe("a malformed Idempotency-Key is refused with 400:", () => {
  const malformed: Record<string, string> = {
    empty: "",
    "with a space": "a b",
    "with a tab": "a\tb",
    "beyond ASCII": "caf\u00e9",
    "of 256 characters": "k".repeat(256),
    "two of them": "a, b",
  };
  test.each(Object.keys(malformed))("%s", async (name) => {
    const headers = { "idempotency-key": malformed[name] ?? "" };
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    expectProblem(await publish(hub, "{}", headers), 400, "bad_key");
    expectProblem(await publish(hub, "{}\n", { ...NDJSON_BODY, ...headers }), 400, "bad_key");
    expectProblem(await sendCommand(hub, "{}", { headers }), 400, "bad_key");
    expect(await client.untilPong()).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
  });

  test("one of 255 printable characters is not malformed", async () => {
    await using hub = await startHub();
    const key = `!~"(),/:;<=>?@[]{}${"k".repeat(237)}`;
    expect(key).toHaveLength(255);
    expect((await publish(hub, "{}", { "idempotency-key": key })).status).toBe(202);
  });
});

test.each(["foo", "", "Reject", "queue,reject", "true"])("if_offline=%s is 400", async (value) => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  expectProblem(await sendCommand(hub, "{}", { query: `?if_offline=${value}` }), 400, "bad_query");
  expect(await worker.untilPong()).toEqual([]);
});

describe("a malformed list of types is refused with 400, before an upgrade:", () => {
  const names = (count: number): string => Array.from({ length: count }, (_, n) => `T${n}`).join(",");
  const malformed: Record<string, string> = {
    empty: "",
    "an empty name": "A,,B",
    "a comma at the end": "A,",
    "a space": "A, B",
    "beyond ASCII": "\u00c4",
    "a wildcard": "DOC_*",
    "a name of 65 characters": "x".repeat(65),
    "33 names": names(33),
  };
  test.each(Object.keys(malformed))("%s", async (name) => {
    const query = `types=${encodeURIComponent(malformed[name] ?? "")}`;
    await using hub = await startHub();
    expectProblem(await call(hub, `/api/v1/events?${query}`), 400, "bad_types");
    expectProblem(await rawRequest(hub.url, handshake(hub.wsUrl(query))), 400, "bad_types");
    expect((await rawRequest(hub.url, handshake(hub.wsUrl("types=A")))).status).toBe(101);
  });

  test("32 names of 64 characters are not malformed", async () => {
    const longest = Array.from({ length: 32 }, (_, n) => `${n}_.:-`.padEnd(64, "x")).join(",");
    await using hub = await startHub();
    expect((await rawRequest(hub.url, handshake(hub.wsUrl(`types=${longest}`)))).status).toBe(101);
  });
});

describe("a content type that is not served is 415:", () => {
  const wrong = [
    undefined,
    "",
    "text/plain",
    "text/json",
    "application/ndjson",
    "application/json-seq",
    "application/vnd.api+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
  ];
  test.each(wrong)("%p", async (type) => {
    const headers = { ...AUTHORIZED, ...(type === undefined ? {} : { "content-type": type }) };
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    // As bytes, since a text brings a type of its own along.
    const options = { method: "POST", headers, body: Buffer.from("{}") };
    const published = await call(hub, PUBLISH, options);
    expectProblem(published, 415, "wrong_type");
    expect(detailOf(published)).toContain("application/x-ndjson");
    expectProblem(await call(hub, COMMANDS, options), 415, "wrong_type");
    expect(await client.untilPong()).toEqual([]);
    expect(await worker.untilPong()).toEqual([]);
  });

  test("a batch of commands", async () => {
    await using hub = await startHub();
    const options = { method: "POST", headers: NDJSON_BODY, body: "{}\n" };
    expectProblem(await call(hub, COMMANDS, options), 415, "wrong_type");
  });

  test.each(["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"])(
    "but not %s",
    async (type) => {
      await using hub = await startHub();
      expect((await publish(hub, "{}", { "content-type": type })).status).toBe(202);
      expect((await sendCommand(hub, "{}", { headers: { "content-type": type } })).status).toBe(202);
    },
  );
});

test("a command for an absent worker with if_offline=reject is 409, and is not kept", async () => {
  await using hub = await startHub();
  expectProblem(await sendCommand(hub, '{"type":"T"}', { query: "?if_offline=reject" }), 409, "offline");
  await using worker = await joinWorker(hub);
  expect(await worker.untilPong()).toEqual([]);
});

test.each(["0011223344556677", "%00", "%ZZ", "a%2Fb", "x".repeat(4000), "%F0%9F%94%91"])(
  "a command that is not known is 404: %s",
  async (id) => {
    await using hub = await startHub();
    const path = `/api/v1/worker/messages/${id}`;
    const answer = await rawRequest(hub.url, { path, headers: [["x-worker-secret", SECRET]] });
    expectProblem(answer, 404, "not_found");
  },
);

describe("405 says what is allowed:", () => {
  const read = ["GET", "HEAD"];
  const allowed: Record<string, readonly string[]> = {
    [PUBLISH]: ["POST"],
    [COMMANDS]: ["POST"],
    [COMMAND]: read,
    "/api/v1/worker": read,
    "/api/v1/events": read,
    "/healthz": read,
    "/readyz": read,
  };
  test.each(Object.keys(allowed))("%s", async (path) => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const served = allowed[path] ?? [];
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
      if (served.includes(method)) continue;
      const answer = await call(hub, path, { method, headers: AUTHORIZED });
      expect(answer.status).toBe(405);
      expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json\b/);
      expect(answer.headers.get("allow")?.split(/, */).sort()).toEqual([...served]);
      if (method !== "HEAD") expectProblem(answer, 405, "method_not_allowed");
    }
    expect(await client.untilPong()).toEqual([]);
  });
});
