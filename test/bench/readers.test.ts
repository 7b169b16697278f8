import { expect, test } from "bun:test";
import { createChunkedReader } from "./generator/chunked.ts";
import { createEnvelopeReader, readCursor } from "./generator/envelope.ts";
import { createBlockReader } from "./generator/event-stream.ts";
import { MESSAGE_BYTES, messageBytes, readSequence } from "./generator/messages.ts";
import { percentile } from "./statistics.ts";

// The generator's readers look at as little as they can: here they meet what a server may send, cut anywhere.

function httpChunk(body: string): string {
  return `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
}

const eventOf = (sequence: number): string => `id: 0a-${sequence}\ndata: ${messageBytes(sequence)}\n\n`;

/** Reads a stream of SSE in pieces of `pieceBytes`. */
function readEvents(stream: string, pieceBytes: number): { sequences: number[]; others: string[] } {
  const sequences: number[] = [];
  const others: string[] = [];
  const read = createChunkedReader(
    createBlockReader({
      onMessage: (bytes, start, end) => sequences.push(readSequence(bytes, start, end)),
      onOther: (text) => others.push(text),
    }),
  );
  const bytes = Buffer.from(stream);
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    read(new Uint8Array(bytes.subarray(offset, offset + pieceBytes)));
  }
  return { sequences, others };
}

test.each([1, 2, 7, 100, 230, 5000, 1_000_000])(
  "SSE comes out whole from reads of %d bytes",
  (pieceBytes) => {
    const hello = 'retry: 1000\n\nevent: hello\nid: 0a-1\ndata: {"type":"hello"}\n\n';
    const status = 'id: 0a-2\ndata: {"type":"WORKER_STATUS","status":"online","metadata":{}}\n\n';
    const heartbeat = ": heartbeat\nid: 0a-9\n\n";
    const half = Math.floor(eventOf(5).length / 2);
    const stream = [
      httpChunk(hello + status),
      httpChunk(eventOf(3) + eventOf(4)),
      // An event may be in two chunks.
      httpChunk(eventOf(5).slice(0, half)),
      httpChunk(eventOf(5).slice(half) + heartbeat),
      httpChunk(eventOf(12_345_678)),
    ].join("");
    const { sequences, others } = readEvents(stream, pieceBytes);
    expect(sequences).toEqual([3, 4, 5, 12_345_678]);
    expect(others.join("")).toBe(hello + status + heartbeat);
  },
);

test("a broken or ended chunked body is an error", () => {
  expect(() => readEvents("5\r\nabcdeXX", 100)).toThrow("longer than its size");
  expect(() => readEvents("zz\r\n", 100)).toThrow('"zz" is not the size of a chunk');
  expect(() => readEvents("0\r\n\r\n", 100)).toThrow("ended the stream");
});

test("messages are taken out of their envelopes, and everything else is told apart", () => {
  const messages: [number, string][] = [];
  const others: string[] = [];
  const onFrame = createEnvelopeReader({
    onMessage(bytes, start, end, idStart) {
      expect(end - start).toBe(MESSAGE_BYTES);
      messages.push([readSequence(bytes, start, end), readCursor(bytes, idStart)]);
    },
    onOther: (text) => others.push(text),
  });
  const read = (text: string): void => {
    // In the middle of a buffer, as frames are.
    const bytes = Buffer.from(`....${text}....`);
    onFrame(1, bytes, 4, bytes.length - 4);
  };
  const envelope = (cursor: string, data: string): string =>
    `{"type":"message","id":"${cursor}","data":${data}}`;
  const notOfLoad = [
    "pong",
    '{"type":"hello","conn_id":"00000000","cursor":"0a-1","resumed":true,"heartbeat_ms":25000,"worker":{"status":"offline","metadata":null}}',
    '{"type":"live","id":"0a-1","worker":{"status":"offline","metadata":null}}',
    envelope("0a-1", '{"type":"WORKER_STATUS","status":"online","metadata":{}}'),
    envelope("0a-1", `{"type":"LONG","text":"${"y".repeat(300)}"}`),
  ];
  for (const text of notOfLoad) read(text);
  read(envelope("0a-7", messageBytes(7).toString()));
  read(envelope("0123abcd-12345678", messageBytes(8).toString()));
  expect(others).toEqual(notOfLoad);
  expect(messages).toEqual([
    [7, "0a-7"],
    [8, "0123abcd-12345678"],
  ]);
});

test("a percentile is one of the values", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect(percentile(values, 0.5)).toBe(100);
  expect(percentile(values, 0.99)).toBe(198);
  expect(percentile(values, 1)).toBe(200);
  expect(percentile([3], 0.99)).toBe(3);
  expect(() => percentile([], 0.5)).toThrow();
});
