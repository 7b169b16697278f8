import { encodeChunk } from "../../support/http-chunks.ts";
import { SECRET } from "../../support/hub.ts";
import type { Random } from "../../support/random.ts";
import type { Body, Step } from "../case.ts";
import { ending, mutateBytes, ODD_UTF8, oneIn, segments, several } from "./bytes.ts";
import { encodeHead, type Head, mutateHead } from "./handshake.ts";
import { message } from "./json.ts";
import { expectedOf, type Media } from "./oracle.ts";
import { target, webSocketQuery } from "./target.ts";

/** `POST /api/v1/publish`, of one message or many. */
export function publishes(random: Random): Body {
  const media: Media = oneIn(random, 2) ? "application/json" : "application/x-ndjson";
  const body = media === "application/json" ? encoded(random, message(random)) : lines(random);
  return post(random, "/api/v1/publish", media, body);
}

/** `POST /api/v1/worker/messages`. */
export function commands(random: Random): Body {
  const query = oneIn(random, 3)
    ? `?${random.pick(["if_offline=reject", "if_offline=queue", webSocketQuery(random)])}`
    : "";
  return post(
    random,
    `/api/v1/worker/messages${query}`,
    "application/json",
    encoded(random, message(random)),
  );
}

function encoded(random: Random, text: string): Uint8Array {
  if (oneIn(random, 20)) return Buffer.concat([Buffer.from("efbbbf", "hex"), Buffer.from(text)]);
  if (oneIn(random, 20)) return Buffer.concat([Buffer.from(text), random.pick(ODD_UTF8)]);
  // Inside a string, where only a strict reader minds.
  if (oneIn(random, 20)) {
    return Buffer.concat([Buffer.from('{"type":"A","s":"'), random.pick(ODD_UTF8), Buffer.from('"}')]);
  }
  if (oneIn(random, 25)) return Buffer.from(text, "utf16le");
  return Buffer.from(text);
}

function lines(random: Random): Uint8Array {
  const count = oneIn(random, 150) ? 10_001 : random.pick([0, 1, 1, 2, 3, 5, 20]);
  if (count === 10_001) return Buffer.from('{"n":1}\n'.repeat(count - random.below(3)));
  const end = (): string => random.pick(["\n", "\n", "\n", "\r\n", "\n\n", "\n \t\n"]);
  const texts = Array.from({ length: count }, () => message(random).replace(/[\r\n]/g, " "));
  const body = texts.map((text) => text + end()).join("");
  return encoded(random, oneIn(random, 4) ? body.trimEnd() : body);
}

function post(random: Random, path: string, media: Media, body: Uint8Array): Body {
  const head: Head = {
    method: "POST",
    target: path,
    headers: [
      ["Host", "hub"],
      ["x-worker-secret", SECRET],
      ["Content-Type", media],
      ...(oneIn(random, 8) ? [["Idempotency-Key", `k-${random.below(50)}`] as const] : []),
    ],
  };
  if (oneIn(random, 2)) return intact(random, head, media, body);
  return spoilt(random, head, body);
}

/** A request in good order: what must come of it is known. */
function intact(random: Random, head: Head, media: Media, body: Uint8Array): Body {
  const bytes = oneIn(random, 3) ? chunkedRequest(random, head, body) : sizedRequest(head, body, body.length);
  const isPublish = head.target === "/api/v1/publish";
  const hasKey = head.headers.some(([name]) => name === "Idempotency-Key");
  const known = expectedOf(body, media);
  const steps: Step[] = [...segments(random, bytes), { wait: "head" }];
  if (!isPublish && head.target.includes("?")) return { steps, end: ending(random) };
  const expected = known.status === 202 ? [202, 409, 422, 503] : [known.status];
  return {
    steps,
    end: ending(random),
    expected,
    ...(isPublish && !hasKey && known.status === 202 ? { published: known.texts } : {}),
  };
}

function sizedRequest(head: Head, body: Uint8Array, length: number | string): Uint8Array {
  return Buffer.concat([
    encodeHead({ ...head, headers: [...head.headers, ["Content-Length", String(length)]] }),
    body,
  ]);
}

function chunkedRequest(random: Random, head: Head, body: Uint8Array): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let rest = body; rest.length > 0; ) {
    const size = 1 + random.below(Math.min(rest.length, 4_000));
    chunks.push(encodeChunk(rest.subarray(0, size)));
    rest = rest.subarray(size);
  }
  const start = encodeHead({ ...head, headers: [...head.headers, ["Transfer-Encoding", "chunked"]] });
  return Buffer.concat([start, ...chunks, Buffer.from("0\r\n\r\n")]);
}

const LENGTHS = [
  "",
  "-1",
  "+2",
  "0x2",
  "2, 2",
  "1e3",
  "99999999999999999999",
  "16777217",
  "1048577",
  " 2",
  "2\t",
] as const;
const CODINGS = ["gzip", "identity", "chunked, identity", "xchunked", "chunked, chunked", ""] as const;
const MEDIA = [
  "text/plain",
  "application/JSON; charset=utf-16",
  "application/json;",
  "",
  ";",
  "application/x-ndjson, application/json",
  "é",
] as const;

/** One in which the length lies, the coding is broken, or anything else does not fit. */
function spoilt(random: Random, head: Head, body: Uint8Array): Body {
  let bytes: Uint8Array;
  switch (random.below(7)) {
    case 0:
      bytes = sizedRequest(head, body, Math.max(0, body.length + random.below(20) - 10));
      break;
    case 1:
      bytes = sizedRequest(head, body, random.pick(LENGTHS));
      break;
    case 2:
      bytes = mutateBytes(random, chunkedRequest(random, head, body));
      break;
    case 3: {
      const coding: Head = {
        ...head,
        headers: [...head.headers, ["Transfer-Encoding", random.pick(CODINGS)]],
      };
      bytes = sizedRequest(coding, body, body.length);
      break;
    }
    case 4: {
      const headers = head.headers.map(
        ([name, value]) => [name, name === "Content-Type" ? random.pick(MEDIA) : value] as const,
      );
      bytes = sizedRequest({ ...head, headers }, body, body.length);
      break;
    }
    case 5:
      bytes = sizedRequest(mutateHead(random, mutateHead(random, head)), body, body.length);
      break;
    default: {
      const whole = sizedRequest(head, body, body.length);
      bytes = oneIn(random, 2)
        ? whole.subarray(0, random.below(whole.length))
        : Buffer.concat([whole, whole, whole]);
    }
  }
  return { steps: [...segments(random, bytes), { wait: "head" }], end: ending(random) };
}

/** Other calls: odd paths and queries, several requests on one connection, with and without the secret. */
export function reads(random: Random): Body {
  const request = (): Uint8Array => {
    let head: Head = {
      method: random.pick(["GET", "GET", "GET", "GET", "OPTIONS", "DELETE", "PUT", "POST"]),
      target: target(random),
      headers: [
        ["Host", "hub"],
        ...(oneIn(random, 2) ? [["Authorization", `Bearer ${SECRET}`] as const] : []),
      ],
    };
    if (oneIn(random, 4)) head = mutateHead(random, head);
    return encodeHead(head);
  };
  return {
    steps: [...segments(random, Buffer.concat(several(random, 1, 4, request))), { wait: "head" }],
    end: ending(random),
  };
}
