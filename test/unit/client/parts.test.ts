import { describe, expect, test } from "bun:test";
import { readAddress } from "../../../src/client/address.ts";
import { createChoice } from "../../../src/client/choice.ts";
import { createInbox } from "../../../src/client/inbox.ts";
import { createSseParser, type SseBlock } from "../../../src/client/sse-parser.ts";

describe("the SSE parser", () => {
  const text =
    '\ufeff: comment\r\nretry: 5\r\n\r\nevent: hello\r\nid: a-0\r\ndata: {"x":1}\r\n\r\nid: a-1\rdata:one\rdata: two\r\rid: a-2\n\ndata: cut sh';
  const expected: SseBlock[] = [
    { event: "hello", id: "a-0", data: '{"x":1}' },
    { event: "message", id: "a-1", data: "one\ntwo" },
    { event: "message", id: "a-2", data: undefined },
  ];

  test("reads the same however the stream is cut", () => {
    for (let first = 0; first <= text.length; first += 1) {
      for (let second = first; second <= text.length; second += 7) {
        const parse = createSseParser();
        const chunks = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        expect(chunks.flatMap(parse)).toEqual(expected);
      }
    }
  });

  test("gives up an event without end", () => {
    const parse = createSseParser();
    const line = `data: ${"x".repeat(20_000_000)}\n`;
    expect(() => {
      for (let count = 0; count < 5; count += 1) parse(line);
    }).toThrow(RangeError);
  });
});

test("SSE has its turn after three failed WebSockets, and the WebSocket again after it", () => {
  const choice = createChoice();
  const turns: string[] = [];
  for (let count = 0; count < 9; count += 1) {
    turns.push(choice.next());
    choice.failed(choice.next());
  }
  const round = ["websocket", "websocket", "websocket", "sse"];
  expect(turns).toEqual([...round, ...round, "websocket"]);
  choice.opened("sse");
  expect(choice.next()).toBe("sse");
  choice.opened("websocket");
  expect(choice.next()).toBe("websocket");
});

test.each([
  ["http://hub:8000", "ws://hub:8000/api/v1/ws", "http://hub:8000/api/v1/events"],
  ["https://hub/live/", "wss://hub/live/api/v1/ws", "https://hub/live/api/v1/events"],
  ["wss://hub/api/v1/ws", "wss://hub/api/v1/ws", "https://hub/api/v1/events"],
  ["https://hub/live/ws", "wss://hub/live/ws", "https://hub/live/api/v1/events"],
  ["ws://hub/stream?token=a", "ws://hub/stream?token=a", "http://hub/api/v1/events?token=a"],
])("the address %s", (given, webSocket, events) => {
  const address = readAddress(given);
  expect([address.webSocket({}), address.events({})]).toEqual([webSocket, events]);
});

test("an inbox is first in, first out, knows when it is full, and is read to its end", async () => {
  const inbox = createInbox<number>({ messages: 4_000, chars: 10_000 });
  for (let n = 0; n < 3_999; n += 1) inbox.push(n, 1);
  expect(inbox.isFull()).toBe(false);
  inbox.push(3_999, 1);
  expect(inbox.isFull()).toBe(true);
  inbox.end(new Error("over"));
  for (let n = 0; n < 4_000; n += 1) {
    expect(inbox.hasRoom()).toBe(n >= 2_000);
    expect(await inbox.next()).toBe(n);
  }
  await expect(inbox.next()).rejects.toThrow("over");
});
