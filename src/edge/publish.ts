import type { Published } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Hub } from "../hub/hub.ts";
import type { Message } from "../hub/publisher.ts";
import type { ProblemCode } from "../protocol/contract/problems.ts";
import { isReserved, parseMessage } from "../protocol/message.ts";
import { mediaType, readBody } from "./body.ts";
import { readIdempotencyKey } from "./idempotency.ts";
import {
  badRequest,
  json,
  keyMismatch,
  type ProblemDetails,
  problem,
  refusalCode,
  tooLarge,
  unavailable,
  wrongType,
} from "./problem.ts";

const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";

/** One publish is one transaction and one receipt; more messages than this belong into several. */
export const BATCH_LIMIT_MESSAGES = 10_000;

/** Batches are sent one after the other, at the pace of their readers. So many wait, in memory; the rest get a 503. */
export const WAITING_BATCHES_LIMIT = 16;

type Messages =
  | { readonly ok: true; readonly messages: readonly Message[] }
  | { readonly ok: false; readonly problem: ProblemDetails };

/** `POST /api/v1/publish` (PROTOCOL.md, section 4), once the caller's secret has been checked. */
export function createPublishRoute(
  config: Pick<Config, "MAX_MESSAGE_BYTES" | "MAX_BATCH_BYTES">,
  { publisher, turn: turnOf }: Pick<Hub, "publisher" | "turn">,
): (request: Request) => Promise<Response> {
  let waitingBatches = 0;
  return async (request) => {
    const type = mediaType(request);
    if (type !== JSON_TYPE && type !== NDJSON_TYPE) return problem(wrongType([JSON_TYPE, NDJSON_TYPE]));
    const idempotency = readIdempotencyKey(request);
    if (!idempotency.ok) return problem(idempotency.problem);
    const body = await readBody(
      request,
      type === JSON_TYPE ? config.MAX_MESSAGE_BYTES : config.MAX_BATCH_BYTES,
    );
    if (!body.ok) return problem(body.problem);
    const read =
      type === JSON_TYPE ? readOne(body.text, "the body") : readLines(body.text, config.MAX_MESSAGE_BYTES);
    if (!read.ok) return problem(read.problem);
    if (read.messages.length > 1) {
      if (waitingBatches === WAITING_BATCHES_LIMIT) {
        return problem(unavailable("busy", `${waitingBatches} batches wait for their turn already`));
      }
      waitingBatches += 1;
      // Asked anew after each wait: another batch may have been first.
      for (let turn = turnOf(); turn !== undefined; turn = turnOf()) await turn;
      waitingBatches -= 1;
    }
    return answer(await publisher.publish(read.messages, "http", idempotency.key));
  };
}

function answer(published: Published): Response {
  if (published.ok) return json(202, { ids: published.ids, receivers: published.receivers });
  if (published.code === "key_mismatch") return problem(keyMismatch(published.detail));
  return problem(unavailable(refusalCode(published), published.detail));
}

/** @param what names the text in the answer, e.g. `line 3` */
function readOne(text: string, what: string): Messages {
  const parsed = parseMessage(text);
  if (parsed.code === "invalid_json") return wrong("invalid_json", `${what} is not valid JSON`);
  if (parsed.code === "not_object")
    return wrong("not_object", `${what} is no JSON object but ${parsed.found}`);
  if (isReserved(parsed.type))
    return wrong("reserved_type", `${what} has the type ${parsed.type}, which is reserved`);
  return { ok: true, messages: [{ text, type: parsed.type, value: parsed.value }] };
}

function wrong(code: ProblemCode, detail: string): Messages {
  return { ok: false, problem: badRequest(code, detail) };
}

/** Only what JSON counts as white space: `trim` would let a BOM pass as nothing. */
const BLANK = /^[ \t\r]*$/;

/** All lines are read before any is published, so that a batch is published whole or not at all. */
function readLines(body: string, limitBytes: number): Messages {
  const messages: Message[] = [];
  const lines = body.split("\n");
  for (const [index, rawLine] of lines.entries()) {
    const line = rawLine.endsWith("\r") ? rawLine.slice(0, -1) : rawLine;
    if (BLANK.test(line)) continue;
    const what = `line ${index + 1}`;
    if (Buffer.byteLength(line) > limitBytes) return { ok: false, problem: tooLarge(limitBytes, what) };
    const read = readOne(line, what);
    if (!read.ok) return read;
    messages.push(...read.messages);
    if (messages.length > BATCH_LIMIT_MESSAGES) {
      return {
        ok: false,
        problem: { ...tooLarge(0), detail: `the body holds more than ${BATCH_LIMIT_MESSAGES} messages` },
      };
    }
  }
  if (messages.length === 0) return wrong("empty", "the body holds no message");
  return { ok: true, messages };
}
