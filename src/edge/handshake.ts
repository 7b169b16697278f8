import type { SecretCheck } from "../auth/secret.ts";
import type { ClientType, Connection } from "../hub/connection.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { CLOSE, type Close } from "../protocol/close.ts";
import { readFilter, type TypeFilter } from "../protocol/filter.ts";
import { STREAM_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import type { Runtime } from "../runtime.ts";
import type { Admission, Guard, Peers } from "./guard.ts";
import { badRequest, methodNotAllowed, type ProblemDetails, problem } from "./problem.ts";
import { queryOf } from "./target.ts";

const SCOPE = "websocket_endpoint";

/** The part of Bun's server that a handshake needs. */
export interface Upgrader extends Peers {
  upgrade(request: Request, options: { data: Connection; headers: Record<string, string> }): boolean;
}

export interface HandshakeOptions {
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly guard: Guard;
  readonly checkSecret: SecretCheck;
}

type Answer = Response | undefined;

/** What a handshake asked for, once it is known to be one. */
interface Visit {
  readonly request: Request;
  readonly server: Upgrader;
  readonly query: URLSearchParams;
  readonly isStream: boolean;
  readonly types: TypeFilter;
  readonly connId: string;
  readonly address: string;
}

/**
 * Answers a request on a WebSocket path (PROTOCOL.md, section 1; RFC 6455, section 4.2): a plain request is refused with a
 * problem, anything else is upgraded. A wrong secret or client type is upgraded too, because only a close frame reaches a
 * browser's or a worker's code; the hub then closes it at once.
 * @returns undefined once the socket is Bun's
 */
export function createHandshake({ runtime, log, metrics, guard, checkSecret }: HandshakeOptions) {
  const upgrade = (
    visit: Visit,
    clientType: ClientType,
    refusal?: Close,
    leave = (): void => undefined,
  ): Answer => {
    const { request, server, isStream } = visit;
    const nowMs = runtime.monotonicMs();
    const data: Connection = {
      connId: visit.connId,
      clientType,
      framing: isStream ? "stream" : "raw",
      address: visit.address,
      refusal,
      types: visit.types,
      since: visit.query.get("since") || undefined,
      connectedAtMs: runtime.nowMs(),
      leave,
      openedMs: nowMs,
      lastSeenMs: nowMs,
      lastPingMs: nowMs,
      isHeld: false,
      retired: false,
      isSubscribed: false,
      replay: undefined,
      token: clientType === "worker" ? runtime.randomHex(16) : "",
      commands: [],
      sentCommands: [],
      lastCommandId: "",
      allowance: undefined,
    };
    // Without a header of its own Bun would echo the first subprotocol offered, whatever it is; an empty one sends none.
    const headers = { "sec-websocket-protocol": isStream ? STREAM_SUBPROTOCOL : "" };
    if (server.upgrade(request, { data, headers })) return undefined;
    leave();
    return problem(badHandshake("Sec-WebSocket-Key must be 16 bytes in base64 (RFC 6455, section 4.2.1)"));
  };

  const worker = (visit: Visit): Answer => {
    const token = visit.query.getAll("token").at(-1) ?? null;
    const verdict = checkSecret(visit.request.headers.get("x-worker-secret"), token);
    if (verdict === "accepted") return upgrade(visit, "worker");
    metrics.authFailures.add(verdict);
    const tooMany = verdict === "wrong" ? guard.wrongSecret(visit.address) : undefined;
    if (tooMany !== undefined) return problem(tooMany);
    const { connId, address } = visit;
    log.warning?.("SECURITY", SCOPE, "Unauthorized Worker Attempt", {
      conn_id: connId,
      secret: verdict,
      address,
    });
    return upgrade(visit, "worker", { ...CLOSE.policy, reason: `worker secret ${verdict}` });
  };

  const client = (visit: Visit, admission: Admission): Answer => {
    if (admission.ok) return upgrade(visit, "client", undefined, admission.leave);
    // Vectra's dashboard resets its backoff whenever a socket opens, so a raw client must not be let open one.
    return visit.isStream ? upgrade(visit, "client", admission.close) : problem(admission.problem);
  };

  return (request: Request, server: Upgrader): Answer | Promise<Answer> => {
    const refused = refusePlainRequest(request);
    if (refused !== undefined) return refused;
    const foreign = guard.checkOrigin(request);
    if (foreign !== undefined) return problem(foreign);
    const query = queryOf(request);
    const filter = readFilter(query.get("types"));
    if (!filter.ok) return problem(badRequest("bad_types", filter.why));

    const visit: Visit = {
      request,
      server,
      query,
      isStream: offersStream(request),
      types: filter.types,
      connId: runtime.randomHex(4),
      address: guard.addressOf(request, server),
    };
    // FastAPI, the original's framework, takes the last of several values; so does this.
    const type = query.getAll("client_type").at(-1) ?? "client";
    const about = { conn_id: visit.connId, type, address: visit.address };
    log.debug?.("CONNECT", SCOPE, "Incoming connection", about);
    if (type === "worker") return worker(visit);
    if (type !== "client") {
      log.warning?.("SECURITY", SCOPE, "Unknown Client Type", about);
      metrics.refusals.add("client_type");
      return upgrade(visit, "client", {
        ...CLOSE.policy,
        reason: "unknown client_type: use client or worker",
      });
    }
    const admission = guard.admit(request, server, visit.address);
    return admission instanceof Promise
      ? admission.then((settled) => client(visit, settled))
      : client(visit, admission);
  };
}

function offersStream(request: Request): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((name) => name.trim() === STREAM_SUBPROTOCOL);
}

function refusePlainRequest(request: Request): Response | undefined {
  if (request.headers.has("x-vectra-bridge")) {
    return problem({
      status: 508,
      code: "loop",
      title: "Loop detected",
      detail: "this is a vectra-hub and not Vectra's API, so no bridge may lead to it: see BRIDGE_URL",
    });
  }
  if (request.method !== "GET") return problem(methodNotAllowed(request.method, ["GET"]));
  const upgrade = request.headers.get("upgrade") ?? "";
  if (
    !upgrade
      .toLowerCase()
      .split(/\s*,\s*/)
      .includes("websocket")
  ) {
    return upgradeRequired("this path speaks WebSocket (RFC 6455)");
  }
  if (request.headers.get("sec-websocket-version") !== "13") {
    return upgradeRequired("this server speaks version 13 of the WebSocket protocol only");
  }
  // Bun does not look.
  if (!/(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(request.headers.get("connection") ?? "")) {
    return problem(badHandshake("Connection must name Upgrade (RFC 6455, section 4.2.1)"));
  }
  return undefined;
}

function badHandshake(detail: string): ProblemDetails {
  return { status: 400, code: "bad_handshake", title: "Not a WebSocket handshake", detail };
}

function upgradeRequired(detail: string): Response {
  return problem({
    status: 426,
    code: "upgrade_required",
    title: "Upgrade required",
    detail,
    headers: { upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13" },
  });
}
