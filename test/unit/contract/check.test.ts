import { describe, expect, test } from "bun:test";
import { checkClose, checkEvent, checkFrame, createWatch, partyOf } from "../../support/contract.ts";
import { checkAnswer } from "../../support/contract-answer.ts";

// The check that every wire test runs behind its back would be worth nothing if it could not fail.

describe("a made-up frame fails:", () => {
  const hello =
    '{"type":"hello","conn_id":"0011aaff","cursor":"a-1","resumed":true,"heartbeat_ms":1,"worker":{"status":"offline","metadata":null}}';
  const wrong: [what: string, party: Parameters<typeof checkFrame>[0], text: string][] = [
    ["a frame of no known type", "streamClient", '{"type":"hallo"}'],
    ["a frame that is another party's", "streamClient", '{"type":"ack","ref":"7","id":"a-1"}'],
    [
      "an envelope in raw framing is a message, but WORKER_STATUS has a form",
      "rawClient",
      '{"type":"WORKER_STATUS"}',
    ],
    ["a member that nobody knows", "streamClient", hello.replace('"resumed"', '"node":"b","resumed"')],
    ["a member within one", "streamClient", hello.replace('"status"', '"since":1,"status"')],
    ["a member too few", "streamClient", hello.replace('"heartbeat_ms":1,', "")],
    ["resumed with a reason", "streamClient", hello.replace('"heartbeat', '"reason":"none","heartbeat')],
    ["not resumed without one", "streamClient", hello.replace("true", "false")],
    ["online without metadata", "streamClient", hello.replace("offline", "online")],
    ["a conn_id in capitals", "streamClient", hello.replace("0011aaff", "0011AAFF")],
    ["a number where a text belongs", "streamClient", '{"type":"position","id":41}'],
    ["a cursor with a space", "streamClient", '{"type":"position","id":"a 1"}'],
    ["a message that is no object", "streamClient", '{"type":"message","id":"a-1","data":[]}'],
    ["REGISTER_WORKER, forwarded", "rawClient", '{"type":"REGISTER_WORKER","metadata":{}}'],
    ["a bare text", "rawClient", "pang"],
    ["a bare text as JSON", "rawClient", '"pong"'],
    ["no JSON", "streamClient", '{"type":"position","id":"a-1"'],
    ["nothing", "rawWorker", ""],
    ["an attempt that was none", "streamWorker", '{"type":"command","id":"1","attempt":0,"data":{}}'],
    ["an error without a reason", "streamWorker", '{"type":"error","ref":"7"}'],
  ];
  test.each(wrong)("%s", (_, party, text) => {
    expect(() => checkFrame(party, text)).toThrow("no frame like this one");
  });

  test("and the right one does not", () => {
    expect(() => checkFrame("streamClient", hello)).not.toThrow();
    expect(() => checkFrame("rawClient", '{"type":"anything","status":7}')).not.toThrow();
    expect(() => checkFrame("rawWorker", "pong")).not.toThrow();
  });

  test("even among many that are right", () => {
    const frames = Array.from({ length: 5_000 }, (_, n) => `{"type":"message","id":"a-${n}","data":{}}`);
    for (const frame of frames) checkFrame("streamClient", frame);
    expect(() => checkFrame("streamClient", '{"type":"message"}')).toThrow();
    const late = Array.from(
      { length: 100 },
      () => () => checkFrame("streamClient", '{"type":"message","id":"a-7","data":7}'),
    );
    const caught = late.filter((check) => {
      try {
        check();
        return false;
      } catch {
        return true;
      }
    });
    expect(caught.length).toBeGreaterThan(0);
  });
});

test("a made-up event or close code fails", () => {
  expect(() => checkEvent("goodby", '{"type":"goodbye"}')).toThrow("no event");
  expect(() => checkEvent("live", '{"type":"live","id":"a-1"}')).toThrow("no event");
  expect(() => checkEvent(undefined, "[]")).toThrow("no event");
  expect(() => checkEvent(undefined, "{}")).not.toThrow();
  expect(() => checkClose(4002)).toThrow("4002");
  expect(() => checkClose(4001)).not.toThrow();
});

describe("a made-up answer fails:", () => {
  const json = { "content-type": "application/json", "cache-control": "no-store" };
  const problem = { ...json, "content-type": "application/problem+json", "retry-after": "1" };
  const full =
    '{"type":"urn:vectra:problem:queue_full","title":"Service unavailable","status":503,"detail":"full"}';
  const asked = { method: "POST", path: "/api/v1/worker/messages?if_offline=queue" };
  const right = { status: 503, headers: problem, body: full };
  const { "retry-after": _, ...hasty } = problem;
  const wrong: [
    what: string,
    why: string,
    answer: { status: number; headers: Record<string, string>; body: string },
  ][] = [
    ["a status", "no status 418", { ...right, status: 418 }],
    [
      "a header too many",
      "no header x-powered-by",
      { ...right, headers: { ...problem, "x-powered-by": "hub" } },
    ],
    ["a header too few", "Retry-After is missing", { ...right, headers: hasty }],
    [
      "a header of another form",
      "no Retry-After: soon",
      { ...right, headers: { ...problem, "retry-after": "soon" } },
    ],
    ["a media type", "no application/json", { ...right, headers: { ...json, "retry-after": "1" } }],
    ["an unknown problem", "no body", { ...right, body: full.replace("queue_full", "full") }],
    ["a problem of another call", "no body", { ...right, body: full.replace("queue_full", "capacity") }],
    ["another title", "no body", { ...right, body: full.replace("unavailable", "overloaded") }],
    ["another status within", "no body", { ...right, body: full.replace("503", "500") }],
    ["a member too many", "no body", { ...right, body: full.replace("{", '{"instance":"x",') }],
    ["a member too few", "no body", { ...right, body: full.replace(',"detail":"full"', "") }],
    [
      "a success like no other",
      "no body",
      { status: 202, headers: json, body: '{"id":"1","status":"done"}' },
    ],
  ];
  test.each(wrong)("%s", (_, why, answer) => {
    const made = { ...answer, headers: new Headers(answer.headers) };
    expect(() => checkAnswer(asked, made)).toThrow(why);
  });

  test("and the right one does not", () => {
    expect(() => checkAnswer(asked, { ...right, headers: new Headers(problem) })).not.toThrow();
  });

  test("a body where none belongs", () => {
    const headers = new Headers({ ...json, "retry-after": "1" });
    const body = '{"status":"ok"}';
    expect(() => checkAnswer({ path: "/healthz", method: "HEAD" }, { status: 200, headers, body })).toThrow();
  });

  test("405 without Allow", () => {
    const headers = new Headers(hasty);
    const body =
      '{"type":"urn:vectra:problem:method_not_allowed","title":"Method not allowed","status":405,"detail":"x"}';
    expect(() => checkAnswer({ path: "/healthz", method: "PUT" }, { status: 405, headers, body })).toThrow(
      "Allow",
    );
    headers.set("allow", "GET, HEAD");
    expect(() =>
      checkAnswer({ path: "/healthz", method: "PUT" }, { status: 405, headers, body }),
    ).not.toThrow();
  });
});

test("a watch keeps the first thing that is wrong until somebody reads", () => {
  const watch = createWatch();
  watch.see(() => checkClose(1000));
  expect(() => watch.verify()).not.toThrow();
  watch.see(() => checkClose(4002));
  watch.see(() => checkClose(4003));
  expect(() => watch.verify()).toThrow("4002");
});

test("a WebSocket's channel follows from its address and its subprotocol", () => {
  const url = "ws://127.0.0.1:1/ws";
  expect(partyOf(url, undefined)).toBe("rawClient");
  expect(partyOf(`${url}?client_type=worker`, null)).toBe("rawWorker");
  expect(partyOf(`${url}?client_type=worker&client_type=client`, "")).toBe("rawClient");
  expect(partyOf(url, "vectra.stream.v1")).toBe("streamClient");
  expect(partyOf(`${url}?client_type=worker`, "vectra.stream.v1")).toBe("streamWorker");
});
