import type { Config } from "../config/schema.ts";
import type { Log } from "../observe/log.ts";
import { CLOSE } from "../protocol/close.ts";
import { memberText } from "../protocol/member.ts";
import { parseMessage, REGISTER_WORKER, WORKER_STATUS } from "../protocol/message.ts";
import { readMetadata, statusMessage } from "../protocol/status.ts";
import { RAW_CLIENTS } from "../protocol/topics.ts";
import type { Runtime } from "../runtime.ts";
import { retire, type Socket } from "./connection.ts";
import { startLiveness } from "./liveness.ts";
import { createSlowConsumers } from "./slow.ts";
import { createWorkers } from "./workers.ts";

/** The name under which the Python original logs, kept so that existing log searches go on working. */
const SCOPE = "websocket_endpoint";

/** What happens on the sockets, told to the hub by the edge. Every function is synchronous: see DESIGN.md on Bun. */
export interface Hub {
  open(socket: Socket): void;
  text(socket: Socket, text: string): void;
  binary(socket: Socket): void;
  /** A ping or pong came. */
  seen(socket: Socket): void;
  closed(socket: Socket, code: number): void;
  /** Closes every socket with 1001: clients first, so that nobody is told of a worker that went only because the hub did. */
  stop(): void;
}

export interface HubOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  /** Publishes to a native topic. @returns bytes, -1 when a subscriber is backed up, 0 when one lost the message or none is there */
  readonly publish: (topic: string, text: string) => number;
}

/** Wires the worker registry, the liveness sweep and the broadcast group together. */
export function createHub({ config, runtime, log, publish }: HubOptions): Hub {
  const sockets = new Set<Socket>();
  const slow = createSlowConsumers(config, runtime, sockets, (socket, bufferedBytes) => {
    log.warning?.("FAIL", SCOPE, "Too slow for the stream", { conn_id: socket.data.connId, bufferedBytes });
  });

  const send = (socket: Socket, text: string): void => slow.sent(socket.send(text), text.length);
  const broadcast = (text: string): void => slow.sent(publish(RAW_CLIENTS, text), text.length);

  const workers = createWorkers(config, runtime, (status, registered) => {
    log.info?.("STATUS", SCOPE, `Worker ${status.status}`, { metadata: status.metadata });
    const message = statusMessage(status);
    broadcast(message);
    if (registered !== undefined) send(registered, message);
  });

  const stopLiveness = startLiveness(config, runtime, sockets, (socket, silentMs) => {
    const { connId, clientType } = socket.data;
    log.info?.("FAIL", SCOPE, `${clientType} timed out`, { conn_id: connId, silentMs: Math.round(silentMs) });
    socket.data.retired = true;
    socket.terminate();
    leave(socket);
  });

  const leave = (socket: Socket): void => {
    sockets.delete(socket);
    if (socket.data.clientType === "worker") workers.leave(socket);
  };

  const fromWorker = (socket: Socket, text: string): void => {
    const parsed = parseMessage(text);
    const about = { conn_id: socket.data.connId };
    if (parsed.code === "invalid_json") {
      log.warning?.("CONTEXT", SCOPE, "Invalid JSON from worker", about);
    } else if (parsed.code === "not_object") {
      log.warning?.("CONTEXT", SCOPE, "Worker sent non-object JSON", { ...about, found: parsed.found });
    } else if (parsed.type === REGISTER_WORKER) {
      const metadata = readMetadata(memberText(text, "metadata"));
      if (!metadata.ok)
        log.warning?.("CONTEXT", SCOPE, "Worker metadata ignored", { ...about, why: metadata.why });
      workers.describe(socket, metadata.json);
    } else if (parsed.type === WORKER_STATUS) {
      log.warning?.("CONTEXT", SCOPE, "Worker sent a reserved type, which only the hub sends", about);
    } else {
      broadcast(text);
    }
  };

  return {
    open(socket) {
      const { connId, clientType, refusal } = socket.data;
      if (refusal !== undefined) {
        retire(socket, refusal);
        return;
      }
      sockets.add(socket);
      if (clientType === "worker") {
        log.info?.("START", SCOPE, "Secure Worker Connected", { conn_id: connId });
        workers.register(socket);
      } else {
        log.debug?.("START", SCOPE, "Client Connected", { conn_id: connId });
        send(socket, statusMessage(workers.status()));
        socket.subscribe(RAW_CLIENTS);
      }
    },
    text(socket, text) {
      if (socket.data.retired) return;
      socket.data.lastSeenMs = runtime.monotonicMs();
      if (text === "ping") send(socket, "pong");
      else if (text === "get_worker_status") send(socket, statusMessage(workers.status()));
      else if (socket.data.clientType === "worker") fromWorker(socket, text);
    },
    binary(socket) {
      if (!socket.data.retired) retire(socket, CLOSE.binary);
    },
    seen(socket) {
      socket.data.lastSeenMs = runtime.monotonicMs();
    },
    closed(socket, code) {
      const { connId, clientType, refusal } = socket.data;
      socket.data.retired = true;
      if (refusal === undefined) {
        log.info?.("FINISH", SCOPE, `${clientType} Disconnected`, { conn_id: connId, code });
      }
      leave(socket);
    },
    stop() {
      stopLiveness();
      slow.stop();
      workers.stop();
      const workersLast = [...sockets].sort((a, b) => a.data.clientType.localeCompare(b.data.clientType));
      for (const socket of workersLast) retire(socket, CLOSE.goingAway);
    },
  };
}
