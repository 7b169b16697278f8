import { SECRET } from "../../support/hub.ts";
import type { Random } from "../../support/random.ts";
import { STREAM } from "../../support/streamframe.ts";
import type { Body, Step } from "../case.ts";
import { ending, mutateBytes, ODD_UTF8, oneIn, segments, several } from "./bytes.ts";
import { textFrame } from "./frame.ts";
import { target, webSocketQuery } from "./target.ts";

/** The lines of a head, before it becomes bytes. A value may be bytes, because not all that is sent is text. */
export interface Head {
  readonly method?: string;
  readonly target: string;
  readonly version?: string;
  readonly headers: readonly (readonly [name: string, value: string | Uint8Array])[];
}

export function encodeHead({ method = "GET", target, version = "HTTP/1.1", headers }: Head): Uint8Array {
  const lines = headers.flatMap(([name, value]) => [
    Buffer.from(`${name}: `),
    Buffer.from(value),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([Buffer.from(`${method} ${target} ${version}\r\n`), ...lines, Buffer.from("\r\n")]);
}

export type Role = "client" | "stream" | "worker" | "stream-worker";

/** The headers of a handshake in good order (RFC 6455, section 4.1). */
export function handshakeHead(random: Random, role: Role, query = ""): Head {
  const isWorker = role.endsWith("worker");
  const parts = [isWorker ? "client_type=worker" : "", query].filter((part) => part !== "").join("&");
  return {
    target: `${random.pick(["/ws", "/api/v1/ws"])}${parts === "" ? "" : `?${parts}`}`,
    headers: [
      ["Host", "hub"],
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
      ["Sec-WebSocket-Key", Buffer.from(random.bytes(16)).toString("base64")],
      ["Sec-WebSocket-Version", "13"],
      ...(role.startsWith("stream") ? [["Sec-WebSocket-Protocol", STREAM] as const] : []),
      ...(isWorker ? [["x-worker-secret", SECRET] as const] : []),
    ],
  };
}

const ODD_HOSTS = [
  "",
  "a b",
  "[",
  "[::1",
  "hub:99999",
  "hub:x",
  "%",
  "http://x/",
  "\\",
  "?",
  "#",
  "é",
  "a@b",
  "x".repeat(300),
  "hub/../x",
] as const;
const ODD_VALUES = new Map<string, readonly [string, ...string[]]>(
  Object.entries({
    Host: ODD_HOSTS,
    Upgrade: ["WebSocket", "websocket, h2c", "h2c", "", "websocketx", "websocket/13", ",websocket,"],
    Connection: ["upgrade", "keep-alive, Upgrade", "close", "Upgrade, close", "", "keep-alive"],
    "Sec-WebSocket-Key": [
      "",
      "dGhlIHNhbXBsZSBub25jZQ=",
      "dGhlIHNhbXBsZSBub25jZQ==, x",
      "!",
      "A".repeat(24),
      "A".repeat(5000),
    ],
    "Sec-WebSocket-Version": ["8", "13, 8", "", "013", "13.0", "-13", "99999999999999999999"],
    "Sec-WebSocket-Protocol": [
      "",
      ",",
      " ",
      `${STREAM},${STREAM}`,
      `x, ${STREAM}`,
      `${STREAM}x`,
      STREAM.toUpperCase(),
      "a".repeat(4000),
      ",".repeat(500),
    ],
    "x-worker-secret": ["", "wrong", `${SECRET} `, SECRET.toUpperCase(), `${SECRET}x`, "x".repeat(8000)],
  } as const),
);
const EXTRA: readonly (readonly [string, string])[] = [
  ["Origin", "https://evil.example"],
  ["Origin", "null"],
  ["Origin", ""],
  ["Origin", "http://["],
  ["Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"],
  ["Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=99, x"],
  ["Sec-WebSocket-Accept", "x"],
  ["x-vectra-bridge", "1"],
  ["Cookie", "a=b; a=c;;="],
  ["Authorization", `Bearer ${SECRET}`],
  ["Authorization", "Basic Og=="],
  ["x-forwarded-for", "1.2.3.4, , unknown"],
  ["x-forwarded-for", "[::1]:x"],
  ["x-forwarded-host", "["],
  ["x-forwarded-proto", "ftp"],
  ["Content-Length", "0"],
  ["Content-Length", "5"],
  ["Transfer-Encoding", "chunked"],
  ["Expect", "100-continue"],
  ["Accept-Encoding", "gzip"],
  ["Last-Event-ID", "x"],
  ["TE", "trailers"],
  ["__proto__", "x"],
];

/** Changes one thing about a head. */
export function mutateHead(random: Random, head: Head): Head {
  const headers = [...head.headers];
  const at = random.below(headers.length);
  const [name, value] = headers[at] ?? ["Host", "hub"];
  switch (random.below(12)) {
    case 0:
      return { ...head, headers: headers.toSpliced(at, 1) };
    case 1:
      return { ...head, headers: headers.toSpliced(random.below(headers.length), 0, [name, value]) };
    case 2:
    case 3:
    case 4:
      return {
        ...head,
        headers: headers.toSpliced(at, 1, [name, random.pick(ODD_VALUES.get(name) ?? ODD_HOSTS)]),
      };
    case 5: {
      const other = oneIn(random, 2)
        ? name.toLowerCase()
        : random.pick([`${name} `, ` ${name}`, `${name}:`, `${name}\0`, ""]);
      return { ...head, headers: headers.toSpliced(at, 1, [other, value]) };
    }
    case 6:
      return { ...head, headers: headers.toSpliced(at, 1, [name, mutateBytes(random, Buffer.from(value))]) };
    case 7:
      return {
        ...head,
        headers: headers.toSpliced(at, 1, [name, random.pick([...ODD_UTF8, Buffer.from("a\r\n b")])]),
      };
    case 8:
      return {
        ...head,
        headers: [
          ...headers,
          ...several(random, 1, 120, () => ["x-many", random.text(3).replace(/[\r\n\0]/g, "")] as const),
        ],
      };
    case 9:
      return {
        ...head,
        method: random.pick(["POST", "HEAD", "OPTIONS", "get", "CONNECT", "TRACE", "PRI", "", "GET "]),
      };
    case 10:
      return {
        ...head,
        version: random.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/1.10", "", "http/1.1", "HTTP/1.1 "]),
      };
    default:
      return { ...head, headers: [...headers, EXTRA[random.below(EXTRA.length)] ?? ["x", "y"]] };
  }
}

/** Handshakes with anything wrong or unusual about them, and bytes right behind them (RFC 6455, section 4.2). */
export function handshakes(random: Random): Body {
  const role = random.pick(["client", "stream", "worker", "stream-worker"] as const);
  let head = handshakeHead(random, role, oneIn(random, 2) ? webSocketQuery(random) : "");
  if (oneIn(random, 6)) head = { ...head, target: target(random) };
  const changes = random.below(4);
  for (let left = changes; left > 0; left -= 1) head = mutateHead(random, head);
  let bytes = encodeHead(head);
  if (oneIn(random, 6)) bytes = mutateBytes(random, bytes);
  const behind: Uint8Array[] = oneIn(random, 3) ? [textFrame(random, "ping")] : [];
  const steps: Step[] = [...segments(random, Buffer.concat([bytes, ...behind])), { wait: "head" }];
  return { steps, end: ending(random) };
}
