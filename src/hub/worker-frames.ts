import type { Backplane } from "../backplane/backplane.ts";
import type { Log } from "../observe/log.ts";
import { ackJson, errorJson, readWorkerEnvelope } from "../protocol/envelope.ts";
import { memberText } from "../protocol/member.ts";
import { isReserved, parseMessage, REGISTER_WORKER } from "../protocol/message.ts";
import { readMetadata } from "../protocol/status.ts";
import type { Commands } from "./commands.ts";
import type { Socket } from "./connection.ts";
import type { Publisher } from "./publisher.ts";

const SCOPE = "websocket_endpoint";

export interface WorkerFramesOptions {
  readonly log: Log;
  readonly backplane: Pick<Backplane, "describe" | "ready">;
  readonly publisher: Publisher;
  readonly commands: Commands;
  readonly send: (socket: Socket, text: string) => void;
}

/** @returns what is done with a worker's frame, by its framing (PROTOCOL.md, sections 1 and 3) */
export function createWorkerFrames(options: WorkerFramesOptions): (socket: Socket, text: string) => void {
  const { log, backplane, publisher, commands, send } = options;

  const describe = (socket: Socket, json: string | undefined): void => {
    const metadata = readMetadata(json);
    if (!metadata.ok) {
      log.warning?.("CONTEXT", SCOPE, "Worker metadata ignored", {
        conn_id: socket.data.connId,
        why: metadata.why,
      });
    }
    backplane.describe(socket.data.token, metadata.json);
  };

  const raw = (socket: Socket, text: string): void => {
    const parsed = parseMessage(text);
    const about = { conn_id: socket.data.connId };
    if (parsed.code === "invalid_json") {
      log.warning?.("CONTEXT", SCOPE, "Invalid JSON from worker", about);
    } else if (parsed.code === "not_object") {
      log.warning?.("CONTEXT", SCOPE, "Worker sent non-object JSON", { ...about, found: parsed.found });
    } else if (parsed.type === REGISTER_WORKER) {
      describe(socket, memberText(text, "metadata"));
    } else if (isReserved(parsed.type)) {
      log.warning?.("CONTEXT", SCOPE, "Worker sent a reserved type", { ...about, type: parsed.type });
    } else {
      publisher.forward({ text, type: parsed.type, value: parsed.value }, "worker", socket.data.token);
    }
  };

  const stream = (socket: Socket, frame: string): void => {
    const envelope = readWorkerEnvelope(frame);
    if (!envelope.ok) {
      send(socket, errorJson(envelope.ref, envelope.reason));
    } else if (envelope.type === "register") {
      describe(socket, envelope.metadata ?? "{}");
      backplane.ready(socket.data.token);
    } else if (envelope.type === "ack") {
      commands.acknowledge(envelope.id);
    } else {
      publish(socket, envelope);
    }
  };

  const publish = (
    socket: Socket,
    { ref, key, data, text }: Extract<ReturnType<typeof readWorkerEnvelope>, { type: "publish" }>,
  ): void => {
    const type = typeof data["type"] === "string" ? data["type"] : undefined;
    if (isReserved(type)) {
      send(socket, errorJson(ref, `data.type: ${type} is reserved`));
      return;
    }
    const message = { text, type, value: data };
    publisher.publishFor(socket.data.token, message, key, (published) => {
      if (socket.data.retired) return;
      send(
        socket,
        published.ok ? ackJson(ref, published.ids[0] as string) : errorJson(ref, published.detail),
      );
    });
  };

  return (socket, text) => (socket.data.framing === "raw" ? raw : stream)(socket, text);
}
