import { createHash } from "node:crypto";
import type { Case, Section } from "../support/case.ts";
import { close, first, last, ping, text } from "../support/frames.ts";
import { handshake, request } from "../support/handshake.ts";
import { pong, TEXT_PONG } from "../support/outcome.ts";

const OPEN = ["101", "open"];
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const accepts: Case[] = [
  "AAAAAAAAAAAAAAAAAAAAAA==",
  "/////////////////////w==",
  "+/+/+/+/+/+/+/+/+/+/+w==",
].map((key) =>
  handshake({
    title: `the answer to the key ${key}`,
    request: request({ key: `Sec-WebSocket-Key: ${key}` }),
    accept: createHash("sha1").update(`${key}${GUID}`).digest("base64"),
    expected: OPEN,
  }),
);

const EXTENSIONS = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
  "x-webkit-deflate-frame",
  "permessage-deflate, permessage-bzip2",
  'a; b=c; d="e"',
  ";;,,=",
];
const extensions: Case[] = EXTENSIONS.map((offered) =>
  handshake({
    title: `no extension is taken up: ${offered}`,
    request: request({ extra: `Sec-WebSocket-Extensions: ${offered}` }),
    expected: OPEN,
  }),
);

const STREAM = "vectra.stream.v1";
const offer = (...values: readonly string[]): string =>
  request(
    { extra: values.map((value) => `Sec-WebSocket-Protocol: ${value}`) },
    "GET /ws?client_type=worker HTTP/1.1",
  );
const REFUSED = ["close 1008 worker secret missing", "end"];

/** As a worker without a secret: the stream's first envelope, which is new each time, does not come in between. */
const protocols: Case[] = [
  { title: "none offered", request: request({}, "GET /ws?client_type=worker HTTP/1.1"), chosen: false },
  { title: "an unknown one", request: offer("chat"), chosen: false },
  { title: "two unknown ones", request: offer("chat, superchat"), chosen: false },
  { title: "the stream", request: offer(STREAM), chosen: true },
  { title: "the stream first", request: offer(`${STREAM}, chat`), chosen: true },
  { title: "the stream last", request: offer(`chat,${STREAM}`), chosen: true },
  { title: "the stream in a second header", request: offer("chat", STREAM), chosen: true },
  { title: "the stream twice", request: offer(`${STREAM}, ${STREAM}`), chosen: true },
  {
    title: "the stream in capitals, which is another name",
    request: offer(STREAM.toUpperCase()),
    chosen: false,
  },
  { title: "a longer name", request: offer(`${STREAM}x`), chosen: false },
  { title: "an empty offer", request: offer(""), chosen: false },
  { title: "commas", request: offer(",,"), chosen: false },
].map(({ chosen, ...spec }) =>
  handshake({
    ...spec,
    title: `subprotocols: ${spec.title}`,
    expected: ["101", ...(chosen ? [`protocol ${STREAM}`] : []), ...REFUSED],
  }),
);

const SIZE = request().length;
const segmented: Case[] = [1, 3, 4, 15, 16, 17, 18, 40, SIZE - 4, SIZE - 3, SIZE - 2, SIZE - 1].map((at) =>
  handshake({ title: `the request cut behind byte ${at}`, request: request(), pacing: at, expected: OPEN }),
);

const pipelined: Case[] = [
  { title: "a text", frames: [text("ping")], expected: [TEXT_PONG, "open"] },
  { title: "a ping", frames: [ping("hello")], expected: [pong("hello"), "open"] },
  {
    title: "a hundred texts",
    frames: Array.from({ length: 100 }, () => text("ping")),
    expected: [...Array(100).fill(TEXT_PONG), "open"],
  },
  { title: "a message in fragments", frames: [first("pi"), last("ng")], expected: [TEXT_PONG, "open"] },
  {
    title: "a text and a close",
    frames: [text("ping"), close(1000)],
    expected: [TEXT_PONG, "close 1000", "end"],
  },
  {
    title: "a frame without a mask",
    frames: [text("ping", { mask: false })],
    expected: ["close 1002", "end"],
  },
  {
    title: "70,000 bytes of a message and a ping",
    frames: [text("x".repeat(70_000)), ping("1")],
    expected: [pong("1"), "open"],
  },
].flatMap(({ title, frames, expected }) => [
  handshake({
    title: `${title} behind the request, in one segment`,
    request: request(),
    pipelined: Buffer.concat(frames),
    expected: ["101", ...expected],
  }),
  handshake({
    title: `${title} behind the request, cut amid the request`,
    request: request(),
    pipelined: Buffer.concat(frames),
    pacing: 60,
    expected: ["101", ...expected],
  }),
]);

const slow: Case[] = [
  handshake({ title: "the request byte by byte", request: request(), pacing: "bytes", expected: OPEN }),
  handshake({
    title: "the request and a text, byte by byte",
    request: request(),
    pipelined: text("ping"),
    pacing: "bytes",
    expected: ["101", TEXT_PONG, "open"],
  }),
];

export const OPENING_ANSWER: Section = {
  section: "4.2.2",
  title: "Sending the Server's Opening Handshake",
  cases: [...accepts, ...extensions, ...protocols, ...segmented, ...pipelined, ...slow],
};
