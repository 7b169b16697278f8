import { describe, expect, test } from "bun:test";
import {
  call,
  detailOf,
  expectProblem,
  NDJSON_BODY,
  publishLines,
  publishOne,
  receiptOf,
} from "../../support/api.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient } from "../../support/parties.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";

// A batch of messages, one JSON object per line (PROTOCOL.md section 4): all valid or none published.

const post = (hub: Hub, body: string | Uint8Array) =>
  call(hub, "/api/v1/publish", { method: "POST", headers: NDJSON_BODY, body });

describe("the lines of a body:", () => {
  const bodies: Record<string, [body: string, messages: string[]]> = {
    "one line": ['{"n":1}\n', ['{"n":1}']],
    "the last one without a line end": ['{"n":1}\n{"n":2}', ['{"n":1}', '{"n":2}']],
    "ended by CR LF": ['{"n":1}\r\n{"n":2}\r\n', ['{"n":1}', '{"n":2}']],
    "empty ones between": ['\n{"n":1}\n\n\r\n \t\n{"n":2}\n\n', ['{"n":1}', '{"n":2}']],
    "white space inside and around": [' { "n" : 1 }\t\n{"n":2}  \n', [' { "n" : 1 }\t', '{"n":2}  ']],
    "a lone CR is no line end": ['{"n":\r1}\n', ['{"n":\r1}']],
    "other line separators are no line ends": [
      '{"s":"\u2028\u2029\u0085"}\n',
      ['{"s":"\u2028\u2029\u0085"}'],
    ],
    "64-bit integers and duplicate keys": [
      '{"n":9223372036854775807,"n":1.0}\n{"n":18446744073709551615}\n',
      ['{"n":9223372036854775807,"n":1.0}', '{"n":18446744073709551615}'],
    ],
    "the same message twice": ["{}\n{}\n", ["{}", "{}"]],
  };
  test.each(Object.keys(bodies))("%s", async (name) => {
    const [body, messages] = bodies[name] ?? ["", []];
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using sse = await joinLiveSse(hub);
    const { ids } = receiptOf(await post(hub, body));
    expect(await client.untilPong()).toEqual(messages);
    const events = messages.map((text, at) => ({ id: ids[at] ?? "", data: text.replaceAll("\r", " ") }));
    expect(await sse.messages(messages.length)).toEqual(events);
    expect(ids).toHaveLength(messages.length);
  });
});

describe("one bad line refuses the whole batch, and is named:", () => {
  const bad: Record<string, [line: string, kind: string]> = {
    "half an object": ['{"type":"A"', "invalid_json"],
    "two objects": ["{}{}", "invalid_json"],
    "an object in two lines": ['{\n"a":1}', "invalid_json"],
    NaN: ['{"n":NaN}', "invalid_json"],
    "a byte order mark": ["\ufeff{}", "invalid_json"],
    "nothing but a byte order mark": ["\ufeff", "invalid_json"],
    "nothing but a no-break space": ["\u00a0", "invalid_json"],
    "a list": ["[{}]", "not_object"],
    null: ["null", "not_object"],
    "the worker's status": ['{"type":"WORKER_STATUS"}', "reserved_type"],
    "a registration": ['{"type":"REGISTER_WORKER"}', "reserved_type"],
  };
  test.each(Object.keys(bad))("%s", async (name) => {
    const [line, kind] = bad[name] ?? ["", ""];
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const good = '{"type":"A"}';
    const places: [lines: string[], number: number][] = [
      [[line, good, good], 1],
      [[good, good, line], 3],
      [[good, "", "", line, good], 4],
      [[line, line], 1],
    ];
    for (const [lines, number] of places) {
      const answer = await publishLines(hub, lines);
      expectProblem(answer, 400, kind);
      expect(detailOf(answer)).toMatch(new RegExp(`\\bline ${number}\\b`));
    }
    // Only JSON's own line end counts, on whose line the reader finds the fault.
    const crlf = await post(hub, `${good}\r\n${line}\r\n`);
    expect(detailOf(crlf)).toMatch(/\bline 2\b/);
    expect(await client.untilPong()).toEqual([]);

    // Nor is there a gap in the stream: the next position is the first.
    await using stream = await joinLiveSse(hub, { since: "earliest" });
    const id = await publishOne(hub, good);
    expect(await stream.nextMessage()).toEqual({ id, data: good });
  });
});

test("bad UTF-8 anywhere refuses the whole batch", async () => {
  await using hub = await startHub();
  await using client = await joinClient(hub);
  const body = Buffer.concat([Buffer.from('{"n":1}\n{"s":"'), Buffer.from([0xff]), Buffer.from('"}\n')]);
  expectProblem(await post(hub, body), 400, "invalid_utf8");
  expect(await client.untilPong()).toEqual([]);
});

test.each(["", "\n", "\r\n\r\n", " \t \n\n"])("a body without any message is 400: %p", async (body) => {
  await using hub = await startHub();
  expectProblem(await post(hub, body), 400, "empty");
});

test("several objects are no application/json", async () => {
  await using hub = await startHub();
  const headers = { ...NDJSON_BODY, "content-type": "application/json" };
  const options = { method: "POST", headers, body: "{}\n{}\n" };
  expectProblem(await call(hub, "/api/v1/publish", options), 400, "invalid_json");
});
