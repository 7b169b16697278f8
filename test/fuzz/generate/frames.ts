import { OPCODE } from "../../support/frame.ts";
import type { Random } from "../../support/random.ts";
import type { Body, Step } from "../case.ts";
import { ending, mutateBytes, oneIn, segments, several } from "./bytes.ts";
import { brokenFrame, closeFrame, controlFrame, encodeBits, fragmentedText, textFrame } from "./frame.ts";
import { encodeHead, handshakeHead } from "./handshake.ts";
import { message } from "./json.ts";
import { types } from "./target.ts";

/** Around `MAX_MESSAGE_BYTES`. */
const LARGE = [65_536, 1_048_575, 1_048_576, 1_048_577] as const;

/** Sequences of frames, right ones and wrong ones, on a socket of any role (RFC 6455, sections 5 to 8). */
export function frames(random: Random): Body {
  const role = random.pick(["client", "stream", "worker", "stream-worker"] as const);
  const head = encodeHead(handshakeHead(random, role, oneIn(random, 5) ? `types=${types(random)}` : ""));
  let sent = Buffer.concat(several(random, 1, 8, () => anyFrame(random)));
  if (oneIn(random, 6)) sent = Buffer.from(mutateBytes(random, sent));
  if (oneIn(random, 6)) sent = sent.subarray(0, random.below(sent.length + 1));
  return { steps: behindHandshake(random, head, sent), end: ending(random) };
}

/** The frames behind the handshake: in the same write, or after the answer. */
export function behindHandshake(random: Random, head: Uint8Array, sent: Uint8Array): Step[] {
  if (oneIn(random, 3)) return [...segments(random, Buffer.concat([head, sent])), { wait: "head" }];
  const steps: Step[] = [{ write: head }, { wait: "head" }, ...segments(random, sent)];
  return oneIn(random, 2) ? [...steps, { wait: "bytes" }] : steps;
}

function anyFrame(random: Random): Uint8Array {
  const chance = random.below(40);
  if (chance < 10) return textFrame(random, text(random));
  if (chance < 18) return fragmentedText(random, text(random));
  if (chance < 24) return controlFrame(random);
  if (chance < 34) return brokenFrame(random);
  if (chance < 37) return closeFrame(random);
  if (chance < 39)
    return encodeBits(random, { opcode: OPCODE.binary, payload: random.bytes(random.below(200)) });
  // Expensive, so rare: a message around the limit.
  return oneIn(random, 3) ? textFrame(random, "x".repeat(random.pick(LARGE))) : textFrame(random, "");
}

function text(random: Random): string {
  return random.pick([
    "ping",
    "get_worker_status",
    "pong",
    "PING",
    "ping ",
    random.text(random.below(200)),
    message(random),
  ]);
}
