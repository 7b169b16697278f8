import type { SecretCheck } from "../auth/secret.ts";
import type { ClientType, Connection } from "../hub/connection.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { CLOSE, type Close } from "../protocol/close.ts";
import { STREAM_SUBPROTOCOL } from "../protocol/envelope.ts";
import { readFilter } from "../protocol/filter.ts";
import type { Runtime } from "../runtime.ts";
import { normalAddress } from "./address.ts";
import { badRequest, methodNotAllowed, problem } from "./problem.ts";
import { queryOf } from "./target.ts";

const SCOPE = "websocket_endpoint";

/** The part of Bun's server that a handshake needs. */
export interface Upgrader {
  upgrade(request: Request, options: { data: Connection; headers: Record<string, string> }): boolean;
  requestIP(request: Request): { address: string } | null;
}

export interface HandshakeOptions {
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly checkSecret: SecretCheck;
}

/**
 * Answers a request on a WebSocket path (PROTOCOL.md, section 1; RFC 6455, section 4.2): a plain request is refused with a
 * problem, anything else is upgraded. A wrong secret or client type is upgraded too, because only a close frame reaches a
 * browser's or a worker's code; the hub then closes it at once.
 * @returns undefined once the socket is Bun's
 */
export function createHandshake({ runtime, log, metrics, checkSecret }: HandshakeOptions) {
  return (request: Request, server: Upgrader): Response | undefined => {
    const refused = refusePlainRequest(request);
    if (refused !== undefined) return refused;

    const query = queryOf(request);
    // FastAPI, the original's framework, takes the last of several values; so does this.
    const requestedType = query.getAll("client_type").at(-1) ?? "client";
    const token = query.getAll("token").at(-1) ?? null;
    const filter = readFilter(query.get("types"));
    if (!filter.ok) return problem(badRequest("bad_types", filter.why));
    const isStream = offersStream(request);
    const connId = runtime.randomHex(4);
    const address = normalAddress(server.requestIP(request)?.address);
    log.debug?.("CONNECT", SCOPE, "Incoming connection", { conn_id: connId, type: requestedType, address });

    let refusal: Close | undefined;
    if (!isClientType(requestedType)) {
      refusal = { ...CLOSE.policy, reason: "unknown client_type: use client or worker" };
      metrics.refusals.add("client_type");
      log.warning?.("SECURITY", SCOPE, "Unknown Client Type", {
        conn_id: connId,
        type: requestedType,
        address,
      });
    } else if (requestedType === "worker") {
      const verdict = checkSecret(request.headers.get("x-worker-secret"), token);
      if (verdict !== "accepted") {
        refusal = { ...CLOSE.policy, reason: `worker secret ${verdict}` };
        metrics.authFailures.add(verdict);
        log.warning?.("SECURITY", SCOPE, "Unauthorized Worker Attempt", {
          conn_id: connId,
          secret: verdict,
          address,
        });
      }
    }
    const nowMs = runtime.monotonicMs();
    const data: Connection = {
      connId,
      clientType: requestedType === "worker" ? "worker" : "client",
      framing: isStream ? "stream" : "raw",
      address,
      refusal,
      types: filter.types,
      since: query.get("since") || undefined,
      connectedAtMs: runtime.nowMs(),
      lastSeenMs: nowMs,
      lastPingMs: nowMs,
      retired: false,
      replay: undefined,
      lastCommandId: "",
    };
    // Without a header of its own Bun would echo the first subprotocol offered, whatever it is; an empty one sends none.
    const headers = { "sec-websocket-protocol": isStream ? STREAM_SUBPROTOCOL : "" };
    if (server.upgrade(request, { data, headers })) return undefined;
    return problem({
      status: 400,
      code: "bad_handshake",
      title: "Not a WebSocket handshake",
      detail:
        "Sec-WebSocket-Key must be 16 bytes in base64, and Connection must name Upgrade (RFC 6455, section 4.2.1)",
    });
  };
}

function offersStream(request: Request): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((name) => name.trim() === STREAM_SUBPROTOCOL);
}

function isClientType(value: string): value is ClientType {
  return value === "client" || value === "worker";
}

function refusePlainRequest(request: Request): Response | undefined {
  if (request.method !== "GET") {
    return problem(methodNotAllowed(request.method, ["GET"]));
  }
  const upgrade = request.headers.get("upgrade") ?? "";
  if (
    !upgrade
      .toLowerCase()
      .split(/\s*,\s*/)
      .includes("websocket")
  ) {
    return problem({
      status: 426,
      code: "upgrade_required",
      title: "Upgrade required",
      detail: "this path speaks WebSocket (RFC 6455)",
      headers: { upgrade: "websocket", connection: "Upgrade" },
    });
  }
  if (request.headers.get("sec-websocket-version") !== "13") {
    return problem({
      status: 426,
      code: "upgrade_required",
      title: "Upgrade required",
      detail: "this server speaks version 13 of the WebSocket protocol only",
      headers: { upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13" },
    });
  }
  return undefined;
}
