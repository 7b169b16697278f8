import type { Config } from "../config/schema.ts";
import { CLOSE } from "../protocol/close.ts";
import type { Runtime } from "../runtime.ts";
import { retire, type Socket } from "./connection.ts";
import { createFloodGuard } from "./flood.ts";

/** What clients may send. Workers have no allowance: they hold the secret. */
export interface Allowances {
  /** A client has connected. */
  grant(socket: Socket): void;
  /** Takes one frame off. @returns false when that was too much: the socket is closed with 1008 */
  take(socket: Socket, byteCount: number): boolean;
}

/** @param onFlood called once for each client that is closed */
export function createAllowances(
  config: Pick<Config, "CLIENT_FRAMES_PER_SECOND" | "CLIENT_BYTES_PER_SECOND" | "MAX_MESSAGE_BYTES">,
  runtime: Runtime,
  onFlood: (socket: Socket) => void,
): Allowances {
  const flood = createFloodGuard({
    framesPerSecond: config.CLIENT_FRAMES_PER_SECOND,
    bytesPerSecond: config.CLIENT_BYTES_PER_SECOND,
    maxMessageBytes: config.MAX_MESSAGE_BYTES,
  });
  return {
    grant({ data }) {
      data.allowance = flood.start(runtime.monotonicMs());
    },
    take(socket, byteCount) {
      const { allowance, retired } = socket.data;
      if (allowance === undefined || flood.take(allowance, runtime.monotonicMs(), byteCount)) return true;
      if (!retired) {
        onFlood(socket);
        retire(socket, { ...CLOSE.policy, reason: "too many frames" });
      }
      return false;
    },
  };
}
