import { describe, expect, test } from "bun:test";
import { startHub } from "../support/hub.ts";
import { joinClient, joinWorker, online } from "../support/parties.ts";

// PROTOCOL.md section 0: the hub forwards a message's text byte for byte and never re-serialises it.

const FORWARDED: Record<string, string> = {
  "an empty object": "{}",
  "key order and spacing": '{"z" :1,\t"a": 2 , "type":"B"  ,"m":{ }}',
  "white space around it": ' \r\n\t{"type":"A"}\n ',
  "line ends between tokens": '{\r\n  "type": "A",\n  "b": [\n1\n]\n}',
  "64-bit integers":
    '{"type":"A","id":9223372036854775807,"min":-9223372036854775808,"u":18446744073709551615}',
  "a number that no double holds":
    '{"type":"A","n":123456789012345678901234567890.123456789012345678901234567890}',
  "numbers in unusual forms": '{"a":1.0,"b":1e2,"c":1E+2,"d":-0,"e":-0.0,"f":1e400,"g":0.1e-400}',
  "duplicate keys": '{"type":"A","type":"B","x":1,"x":2}',
  "a lone surrogate as an escape": '{"type":"A","s":"\\ud800"}',
  "a reversed pair as escapes": '{"type":"A","s":"\\udc00\\ud800"}',
  "escapes that need not be": '{"\\u0074ype":"\\u0041","s":"\\/\\u00e9\\b\\f\\n\\r\\t\\"\\\\"}',
  "NUL and DEL": '{"type":"A","s":"\\u0000\u007f"}',
  "letters of every width": '{"type":"A","s":"é 鍵 \u{1f511} \u{10ffff} \ufffd \ufeff"}',
  "line separators": '{"type":"A","s":"\u2028\u2029\u0085"}',
  "a type that is no string": '{"type":5}',
  "no type": '{"id":1}',
  "an empty type and an empty key": '{"type":"","":""}',
  "a type that looks like a command": '{"type":"ping","data":"get_worker_status"}',
  "keys of the language": '{"__proto__":{"a":1},"constructor":1,"toString":null,"hasOwnProperty":0}',
  "10,000 levels of lists": `{"type":"A","deep":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
  "10,000 levels of objects": `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
  "a megabyte, nearly": `{"type":"A","s":"${"x".repeat(1_000_000)}"}`,
};

const REFUSED: Record<string, string> = {
  "an empty text": "",
  "white space": " \n",
  "a list": "[]",
  "a list of an object": '[{"type":"A"}]',
  "a string": '"type"',
  "a number": "5",
  null: "null",
  true: "true",
  "a word": "PING",
  "a ping with a line end": "ping\n",
  "an open object": '{"type":"A"',
  "NaN as a value": '{"type":"A","n":NaN}',
  "Infinity as a value": '{"type":"A","n":-Infinity}',
  "NaN alone": "NaN",
  "single quotes": "{'type':'A'}",
  "a trailing comma": '{"type":"A",}',
  "a comment": '{"type":"A"/**/}',
  "a key without quotes": '{type:"A"}',
  "a leading zero": '{"n":01}',
  "a hexadecimal number": '{"n":0x10}',
  "a raw line end in a string": '{"s":"a\nb"}',
  "a broken escape": '{"s":"\\u12"}',
  "two objects": "{}{}",
  "two objects, a line each": '{"type":"A"}\n{"type":"B"}',
  "a byte order mark": '\ufeff{"type":"A"}',
  "a no-break space before it": '\u00a0{"type":"A"}',
  "a NUL behind it": '{"type":"A"}\u0000',
};

describe("a JSON object is forwarded byte for byte:", () => {
  test.each(Object.keys(FORWARDED))("%s", async (name) => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    const text = FORWARDED[name] ?? "";
    worker.send(text);
    worker.send('{"type":"NEXT"}');
    expect(await worker.untilPong()).toEqual([]);
    expect(await client.untilPong()).toEqual([text, '{"type":"NEXT"}']);
    expect(hub.logs().filter((line) => line.level === "warning")).toEqual([]);
  });
});

describe("anything else is a warning, and the worker stays:", () => {
  test.each(Object.keys(REFUSED))("%s", async (name) => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    worker.send(REFUSED[name] ?? "");
    worker.send('{"type":"NEXT"}');
    expect(await worker.untilPong()).toEqual([]);
    expect(await client.untilPong()).toEqual(['{"type":"NEXT"}']);
    await hub.waitForLog("a warning", (line) => line.level === "warning");
  });
});

test("nesting as deep as a message can be does not end the hub", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  await using client = await joinClient(hub, online());
  const deepest = 524_000;
  worker.send(`{"a":${"[".repeat(deepest)}${"]".repeat(deepest)}}`);
  worker.send("[".repeat(2 * deepest));
  worker.send('{"a":'.repeat(deepest / 5));
  worker.send('{"type":"NEXT"}');
  expect(await worker.untilPong()).toEqual([]);
  expect((await client.untilPong()).at(-1)).toBe('{"type":"NEXT"}');
});
