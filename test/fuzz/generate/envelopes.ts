import type { Random } from "../../support/random.ts";
import type { Body } from "../case.ts";
import { ending, oneIn, several } from "./bytes.ts";
import { fragmentedText, textFrame } from "./frame.ts";
import { behindHandshake } from "./frames.ts";
import { encodeHead, handshakeHead } from "./handshake.ts";
import { jsonObject, jsonString, jsonValue, message } from "./json.ts";

/** What a worker's socket sends, in both framings, with everything that may be wrong about it (PROTOCOL.md, sections 1, 3). */
export function workerFrames(random: Random): Body {
  const isStream = oneIn(random, 2);
  const head = encodeHead(handshakeHead(random, isStream ? "stream-worker" : "worker"));
  const sent = several(random, 1, 8, () => {
    const text = isStream ? envelope(random) : rawFrame(random);
    return oneIn(random, 6) ? fragmentedText(random, text) : textFrame(random, text);
  });
  return { steps: behindHandshake(random, head, Buffer.concat(sent)), end: ending(random) };
}

function rawFrame(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return random.pick(["ping", "get_worker_status"]);
    case 1:
    case 2:
      return jsonObject(random, { type: '"REGISTER_WORKER"', metadata: metadata(random) });
    default:
      return message(random);
  }
}

/** Metadata around its limit of 16 KiB, or of a wrong kind. */
function metadata(random: Random): string {
  if (oneIn(random, 8)) return `{"fill":"${"x".repeat(random.pick([16_372, 16_373, 16_374, 20_000]))}"}`;
  if (oneIn(random, 4)) return jsonValue(random);
  return jsonObject(random, { hostname: jsonString(random) });
}

const KEYS = [
  '"k"',
  '"k-2"',
  '""',
  '"with space"',
  '"é"',
  `"${"k".repeat(255)}"`,
  `"${"k".repeat(256)}"`,
  "7",
  "null",
] as const;

function envelope(random: Random): string {
  switch (random.below(9)) {
    case 0:
      return random.pick(["ping", "get_worker_status", message(random)]);
    case 1:
      return jsonObject(random, { type: '"register"', metadata: metadata(random) });
    case 2:
      return '{"type":"register"}';
    case 3: {
      const id = random.pick([
        jsonString(random),
        '"0123456789abcdef"',
        `"${"i".repeat(64)}"`,
        `"${"i".repeat(65)}"`,
        '""',
      ]);
      return jsonObject(random, { type: '"ack"', id });
    }
    case 4:
      return jsonObject(random, {
        type: random.pick(['"hello"', '"PUBLISH"', "7", "null", '"publish\\u0000"']),
        data: message(random),
      });
    default: {
      const ref = oneIn(random, 3) ? jsonValue(random, 1) : `"${random.below(1000)}"`;
      const members: Record<string, string> = { type: '"publish"', ref, data: message(random) };
      if (oneIn(random, 4)) members["key"] = random.pick(KEYS);
      if (oneIn(random, 12)) delete members["data"];
      // In good order, and in any other.
      if (oneIn(random, 2))
        return `{${Object.entries(members)
          .map(([key, value]) => `"${key}":${value}`)
          .join(",")}}`;
      return jsonObject(random, members);
    }
  }
}
