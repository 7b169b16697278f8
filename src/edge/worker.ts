import type { Backplane, CommandRecord } from "../backplane/backplane.ts";
import { COMMAND_LIMIT_BYTES, type Commands } from "../hub/commands.ts";
import { isReserved, parseMessage } from "../protocol/message.ts";
import { mediaType, readBody } from "./body.ts";
import { readIdempotencyKey } from "./idempotency.ts";
import {
  badRequest,
  conflict,
  json,
  keyMismatch,
  notFound,
  problem,
  refusalCode,
  unavailable,
  wrongType,
} from "./problem.ts";
import { queryOf } from "./target.ts";

/** `POST /api/v1/worker/messages` (PROTOCOL.md, section 4), once the caller's secret has been checked. */
export function createCommandRoute(commands: Commands): (request: Request) => Promise<Response> {
  return async (request) => {
    if (mediaType(request) !== "application/json") return problem(wrongType(["application/json"]));
    const ifOffline = queryOf(request).get("if_offline") ?? "queue";
    if (ifOffline !== "queue" && ifOffline !== "reject") {
      return problem(badRequest("bad_query", "if_offline must be queue or reject"));
    }
    const idempotency = readIdempotencyKey(request);
    if (!idempotency.ok) return problem(idempotency.problem);
    const body = await readBody(request, COMMAND_LIMIT_BYTES);
    if (!body.ok) return problem(body.problem);
    const parsed = parseMessage(body.text);
    if (parsed.code === "invalid_json")
      return problem(badRequest("invalid_json", "the body is not valid JSON"));
    if (parsed.code === "not_object") {
      return problem(badRequest("not_object", `the body is no JSON object but ${parsed.found}`));
    }
    if (isReserved(parsed.type)) {
      return problem(badRequest("reserved_type", `the body has the type ${parsed.type}, which is reserved`));
    }
    const result = await commands.send(body.text, ifOffline, idempotency.key);
    if (result.ok) return json(202, { id: result.id, status: result.status });
    if (result.code === "offline") return problem(conflict("offline", result.detail));
    if (result.code === "key_mismatch") return problem(keyMismatch(result.detail));
    return problem(unavailable(refusalCode(result), result.detail));
  };
}

/** `GET /api/v1/worker/messages/{id}`: what has become of a command. */
export async function commandState(backplane: Pick<Backplane, "command">, id: string): Promise<Response> {
  let record: CommandRecord | undefined;
  try {
    record = await backplane.command(id);
  } catch (error) {
    return problem(unavailable("backplane", error instanceof Error ? error.message : String(error)));
  }
  if (record === undefined)
    return problem(notFound("no command of this id is known; finished ones are forgotten in time"));
  return json(200, { id: record.id, status: record.state, attempts: record.attempts });
}

/** `GET /api/v1/worker`: who works at the moment. */
export async function workerState(backplane: Pick<Backplane, "worker">): Promise<Response> {
  const { status: present, worker, queued } = await backplane.worker();
  const { status, metadata } = present;
  const time = (ms: number | undefined): string =>
    ms === undefined ? "null" : `"${new Date(ms).toISOString()}"`;
  const body =
    `{"status":"${status}","metadata":${metadata},"conn_id":${worker === undefined ? "null" : `"${worker.connId}"`},` +
    `"connected_at":${time(worker?.connectedAtMs)},"last_seen":${time(worker?.lastSeenAtMs)},"queued":${queued}}`;
  return new Response(body, { headers: { "content-type": "application/json", "cache-control": "no-store" } });
}
