import type { Config } from "../config/schema.ts";
import { CLOSE } from "../protocol/close.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import { retire, type Socket } from "./connection.ts";

/** How long a backed-up peer may go unchecked while little is being published. */
const CHECK_DELAY_MS = 100;

export interface SlowConsumers {
  /**
   * To be called with what `send` or `publish` returned. Bun's publish says that somebody is backed up (-1) or has
   * lost a message (0), but not who: the sockets are then searched, at most once for each share of the limit.
   */
  sent(result: number, byteCount: number): void;
  stop(): void;
}

/** Finds the sockets with more unsent bytes than SLOW_CONSUMER_BYTES and closes them with 1013. */
export function createSlowConsumers(
  config: Pick<Config, "SLOW_CONSUMER_BYTES">,
  runtime: Runtime,
  sockets: ReadonlySet<Socket>,
  onSlow: (socket: Socket, bufferedBytes: number) => void,
): SlowConsumers {
  let bytesSinceCheck = 0;
  let isDue = false;
  let cancelCheck: Cancel | undefined;

  const check = (): void => {
    cancelCheck?.();
    cancelCheck = undefined;
    bytesSinceCheck = 0;
    isDue = false;
    for (const socket of sockets) {
      const bufferedBytes = socket.getBufferedAmount();
      if (bufferedBytes <= config.SLOW_CONSUMER_BYTES || socket.data.retired) continue;
      // A replay is paced by its reader, and has a limit of its own on how long it may stand still.
      if (socket.data.replay !== undefined) continue;
      onSlow(socket, bufferedBytes);
      retire(socket, CLOSE.tooSlow);
    }
  };
  return {
    sent(result, byteCount) {
      bytesSinceCheck += byteCount;
      if (result > 0) return;
      // Never from here: closing a socket in the middle of a publish could publish in its turn.
      if (bytesSinceCheck > config.SLOW_CONSUMER_BYTES / 4 && !isDue) {
        isDue = true;
        runtime.soon(check);
      } else {
        cancelCheck ??= runtime.after(CHECK_DELAY_MS, check);
      }
    },
    stop: () => cancelCheck?.(),
  };
}

/** Has any of them more than this to send? */
export function isAnyBackedUp(sockets: ReadonlySet<Socket>, limitBytes: number): boolean {
  for (const socket of sockets) if (socket.getBufferedAmount() > limitBytes) return true;
  return false;
}
