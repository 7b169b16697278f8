import type { Backplane, CommandResult, Delivery } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import { commandJson } from "../protocol/envelope.ts";
import type { Socket } from "./connection.ts";
import { keyOf } from "./publisher.ts";

/** How messages for the worker get to its connection, and its acknowledgements back (PROTOCOL.md, section 4). */
export interface Commands {
  /** @param text one JSON object, forwarded byte for byte */
  send(text: string, ifOffline: "queue" | "reject", key?: string): Promise<CommandResult>;
  /** @returns whether the worker can take more now */
  deliver(socket: Socket, deliveries: readonly Delivery[]): boolean;
  /** The worker's buffer is empty again. @returns as `deliver` */
  drained(socket: Socket): boolean;
  /** A stream-framed worker says that it has a command. */
  acknowledge(id: string): void;
  /** A raw-framed worker answers a ping that carried a command's id. */
  pong(socket: Socket, payload: string): void;
}

/** Python's websockets, which Vectra's worker uses, takes frames of up to 1 MiB: the envelope needs its share of that. */
export const COMMAND_LIMIT_BYTES = 1_048_576 - 256;

export function createCommands(
  config: Pick<Config, "COMMAND_QUEUE" | "SLOW_CONSUMER_BYTES">,
  backplane: Pick<Backplane, "sendCommand" | "acknowledge" | "canTake">,
): Commands {
  /** A worker that reads slowly is sent no more than this ahead, or one command if that is larger. */
  const limitBytes = config.SLOW_CONSUMER_BYTES / 2;
  const hasRoom = (socket: Socket, byteCount: number): boolean => {
    const bufferedBytes = socket.getBufferedAmount();
    return bufferedBytes === 0 || bufferedBytes + byteCount < limitBytes;
  };

  const write = (socket: Socket, { id, attempt, text }: Delivery): void => {
    const { data } = socket;
    if (data.framing === "stream") {
      socket.send(commandJson(id, attempt, text));
      return;
    }
    socket.send(text);
    data.lastCommandId = id;
    data.sentCommands.push(id);
    if (data.sentCommands.length > config.COMMAND_QUEUE) data.sentCommands.shift();
    socket.ping(id);
  };

  /** Sends what there is room for. @returns whether there is room for more */
  const pump = (socket: Socket): boolean => {
    const { commands } = socket.data;
    let sent = 0;
    for (const delivery of commands) {
      if (!hasRoom(socket, Buffer.byteLength(delivery.text))) break;
      write(socket, delivery);
      sent += 1;
    }
    commands.splice(0, sent);
    return commands.length === 0 && hasRoom(socket, 0);
  };

  return {
    send(text, ifOffline, key) {
      const { promise, resolve } = Promise.withResolvers<CommandResult>();
      backplane.sendCommand({
        text,
        ifOffline,
        key: key === undefined ? undefined : keyOf("command", key, [{ text }]),
        done: resolve,
      });
      return promise;
    },
    deliver(socket, deliveries) {
      socket.data.commands.push(...deliveries);
      return pump(socket);
    },
    drained(socket) {
      const canTake = pump(socket);
      if (canTake) backplane.canTake(socket.data.token);
      return canTake;
    },
    acknowledge: (id) => backplane.acknowledge([id]),
    pong(socket, payload) {
      // A peer may answer only the newest of several pings (RFC 6455, section 5.5.3), and frames arrive in order: so this
      // acknowledges everything that was sent on this socket before it, too.
      const answered = socket.data.sentCommands.indexOf(payload) + 1;
      if (answered > 0) {
        backplane.acknowledge(socket.data.sentCommands.splice(0, answered), socket.data.token);
      }
    },
  };
}
