import type { Deviation, Section } from "../support/case.ts";
import { handshake, KEY, request } from "../support/handshake.ts";

const OPEN = ["101", "open"];
const BAD = ["400"];
const NOT_YET = ["426", "version 13"];
const h = (name: string, value: string): string => `${name}: ${value}`;

type Row = readonly [title: string, request: string, expected: readonly string[]];

const upgrades: readonly Row[] = [
  ["the plain handshake", request(), OPEN],
  ["Upgrade: WebSocket", request({ upgrade: h("Upgrade", "WebSocket") }), OPEN],
  ["Upgrade: WEBSOCKET", request({ upgrade: h("Upgrade", "WEBSOCKET") }), OPEN],
  ["no Upgrade", request({ upgrade: [] }), NOT_YET],
  ["an empty Upgrade", request({ upgrade: "Upgrade:" }), NOT_YET],
  ["Upgrade: websockets", request({ upgrade: h("Upgrade", "websockets") }), NOT_YET],
  ["Upgrade: h2c", request({ upgrade: h("Upgrade", "h2c") }), NOT_YET],
  ["a list that names it last", request({ upgrade: h("Upgrade", "h2c, websocket") }), OPEN],
  ["a list that names it first", request({ upgrade: h("Upgrade", "websocket, h2c") }), OPEN],
  ["Upgrade twice", request({ upgrade: [h("Upgrade", "h2c"), h("Upgrade", "websocket")] }), OPEN],
];

const connections: readonly Row[] = [
  ["Connection: upgrade", request({ connection: h("Connection", "upgrade") }), OPEN],
  ["Connection: UPGRADE", request({ connection: h("Connection", "UPGRADE") }), OPEN],
  ["Connection: keep-alive, Upgrade", request({ connection: h("Connection", "keep-alive, Upgrade") }), OPEN],
  ["Connection: Upgrade,keep-alive", request({ connection: h("Connection", "Upgrade,keep-alive") }), OPEN],
  [
    "Connection: keep-alive , Upgrade",
    request({ connection: h("Connection", "keep-alive , Upgrade") }),
    OPEN,
  ],
  [
    "Connection twice, Upgrade in the second",
    request({ connection: [h("Connection", "keep-alive"), h("Connection", "Upgrade")] }),
    OPEN,
  ],
  ["no Connection", request({ connection: [] }), BAD],
  ["an empty Connection", request({ connection: "Connection:" }), BAD],
  ["Connection: keep-alive", request({ connection: h("Connection", "keep-alive") }), BAD],
  ["Connection: close", request({ connection: h("Connection", "close") }), BAD],
  ["Connection: Upgraded", request({ connection: h("Connection", "Upgraded") }), BAD],
  ["Connection: no-upgrade", request({ connection: h("Connection", "no-upgrade") }), BAD],
];

const key = (value: string): string => request({ key: h("Sec-WebSocket-Key", value) });
const base64 = (bytes: number): string => Buffer.alloc(bytes, 7).toString("base64");
const keys: readonly Row[] = [
  ["no key", request({ key: [] }), BAD],
  ["an empty key", request({ key: "Sec-WebSocket-Key:" }), BAD],
  ["a key of 1 byte", key(base64(1)), BAD],
  ["a key of 15 bytes", key(base64(15)), BAD],
  ["a key of 17 bytes", key(base64(17)), BAD],
  ["a key of 18 bytes", key(base64(18)), BAD],
  ["a key of 1000 bytes", key(base64(1000)), BAD],
  ["a key without its padding", key(KEY.replaceAll("=", "")), BAD],
  ["a key with three paddings", key(`${KEY}=`), BAD],
  ["a key of 24 other characters", key("!".repeat(24)), BAD],
  ["a key with a space in it", key(`dGhlIHNhbXBs ${KEY.slice(13)}`), BAD],
  ["the same key twice", request({ key: Array(2).fill(h("Sec-WebSocket-Key", KEY)) }), BAD],
  [
    "two keys",
    request({ key: [h("Sec-WebSocket-Key", KEY), h("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEA==")] }),
    BAD,
  ],
];

const version = (value: string): string => request({ version: h("Sec-WebSocket-Version", value) });
const versions: readonly Row[] = [
  ["no version", request({ version: [] }), NOT_YET],
  ["an empty version", request({ version: "Sec-WebSocket-Version:" }), NOT_YET],
  ...["0", "7", "8", "12", "14", "130", "013", "+13", "13.0", "x", "8, 13"].map(
    (value): Row => [`version ${value}`, version(value), NOT_YET],
  ),
  ["version 13 twice", request({ version: Array(2).fill(h("Sec-WebSocket-Version", "13")) }), NOT_YET],
];

const lines: readonly Row[] = [
  ...["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"].map(
    (method): Row => [`${method} in place of GET`, request({}, `${method} /ws HTTP/1.1`), ["405"]],
  ),
  ["get, in small letters", request({}, "get /ws HTTP/1.1"), BAD],
  ["HTTP/1.0", request({}, "GET /ws HTTP/1.0"), BAD],
  ["HTTP/0.9", request({}, "GET /ws HTTP/0.9"), ["505"]],
  ["HTTP/2.0", request({}, "GET /ws HTTP/2.0"), ["505"]],
  ["no version of HTTP", request({}, "GET /ws"), ["505"]],
  ["an absolute target", request({}, "GET http://hub/ws HTTP/1.1"), OPEN],
  ["an absolute target of another host", request({}, "GET http://other/ws HTTP/1.1"), OPEN],
  ["a query", request({}, "GET /ws?client_type=client HTTP/1.1"), OPEN],
  ["an unknown path", request({}, "GET /nowhere HTTP/1.1"), ["404"]],
  ["two spaces before the target", request({}, "GET  /ws HTTP/1.1"), BAD],
  ["a line before the request line", `\r\n${request()}`, OPEN],
];

const hosts: readonly Row[] = [
  ["no Host", request({ host: [] }), BAD],
  ["an empty Host", request({ host: "Host:" }), OPEN],
  ["Host twice, the same", request({ host: ["Host: hub", "Host: hub"] }), BAD],
  ["two Hosts", request({ host: ["Host: hub", "Host: other"] }), BAD],
  ["a Host with a port", request({ host: "Host: hub:8000" }), OPEN],
  ["an IPv6 Host", request({ host: "Host: [::1]:8000" }), OPEN],
];

const upper = request().replace(/^[\w-]+(?=:)/gm, (name) => name.toUpperCase());
const lower = request().replace(/^[\w-]+(?=:)/gm, (name) => name.toLowerCase());
const noSpace = request().replaceAll(": ", ":");
const syntax: readonly Row[] = [
  ["header names in capitals", upper, OPEN],
  ["header names in small letters", lower, OPEN],
  ["no space behind the colons", noSpace, OPEN],
  ["spaces around the values", request().replace(/: (.*)\r\n/g, ":   $1   \r\n"), OPEN],
  ["tabs around the values", request().replace(/: (.*)\r\n/g, ":\t$1\t\r\n"), OPEN],
  [
    "the headers in reverse order",
    ["GET /ws HTTP/1.1", ...request().split("\r\n").slice(1, -2).reverse(), "", ""].join("\r\n"),
    OPEN,
  ],
  ["a space before a colon", request({ key: `Sec-WebSocket-Key : ${KEY}` }), BAD],
  ["a header line that goes on in the next", request({ upgrade: "Upgrade:\r\n websocket" }), BAD],
  ["a space before a header", request({ extra: " x-a: b" }), BAD],
  ["a header without a colon", request({ extra: "x-a" }), BAD],
  ["a header without a name", request({ extra: ": b" }), BAD],
  ["LF alone behind each line", request().replaceAll("\r\n", "\n"), ["505"]],
  ["LF alone behind one line", request({ extra: "x-a: b\nx-c: d" }), BAD],
  ["CR alone in a value", request({ extra: "x-a: b\rx-injected: d" }), BAD],
  ["NUL in a value", request({ extra: "x-a: b\0c" }), BAD],
  ["NUL in a name", request({ extra: "x\0a: b" }), BAD],
  ["bytes above 7F in a value", request({ extra: "x-a: \xe9\xff" }), OPEN],
  ["an unknown header, twice and with a list", request({ extra: ["x-a: b, c", "x-a: d", "x-b: 1"] }), OPEN],
  ["an injected header in the query", request({}, "GET /ws?a=%0d%0ax-injected:1 HTTP/1.1"), OPEN],
  [
    "an injected header in the subprotocol",
    request({ extra: "Sec-WebSocket-Protocol: a%0d%0ax-injected:1" }),
    OPEN,
  ],
  ["fifty headers more", request({ extra: Array.from({ length: 50 }, (_, n) => `x-${n}: ${n}`) }), OPEN],
  ["a header of 8,000 bytes", request({ extra: `x-a: ${"b".repeat(8000)}` }), OPEN],
  ["a header of 100,000 bytes", request({ extra: `x-a: ${"b".repeat(100_000)}` }), ["431"]],
  ["a thousand headers", request({ extra: Array.from({ length: 1000 }, (_, n) => `x-${n}: ${n}`) }), ["431"]],
  ["a target of 100,000 bytes", request({}, `GET /ws?a=${"b".repeat(100_000)} HTTP/1.1`), ["431"]],
  ["Content-Length: 0", request({ extra: "Content-Length: 0" }), OPEN],
  ["two lengths of a body", request({ extra: ["Content-Length: 0", "Content-Length: 4"] }), BAD],
  ["a length and chunks", request({ extra: ["Content-Length: 0", "Transfer-Encoding: chunked"] }), BAD],
];

const twoHosts: Deviation = { outcome: OPEN, because: "Bun takes a second Host (RFC 9112, 3.2)" };

/** Where Bun is more lenient, or stricter, than the RFC; by title. */
const DEVIATIONS: Readonly<Record<string, Deviation>> = {
  "get, in small letters": { outcome: ["end"], because: "Bun ends the connection without an answer" },
  "HTTP/1.0": { outcome: OPEN, because: "Bun upgrades a request of HTTP/1.0" },
  "a line before the request line": {
    outcome: BAD,
    because: "Bun does not skip it (RFC 9112, 2.2: SHOULD)",
  },
  "Host twice, the same": twoHosts,
  "two Hosts": twoHosts,
};

export const OPENING_REQUEST: Section = {
  section: "4.2.1",
  title: "Reading the Client's Opening Handshake",
  cases: [...upgrades, ...connections, ...keys, ...versions, ...lines, ...hosts, ...syntax].map(
    ([title, text, expected]) => {
      const deviation = DEVIATIONS[title];
      return handshake({ title, request: text, expected, ...(deviation === undefined ? {} : { deviation }) });
    },
  ),
};
