import type { Cancel, Runtime } from "../runtime.ts";
import type { Socket } from "./connection.ts";

/**
 * Who waits until a socket's buffer is empty. Bun calls `drain` for that, but 1.4.5 did not for about one replay in a hundred to
 * a reader that pauses; in the one that was traced a ping had sent the rest before the poll did. So there is a look now and then.
 */
export interface Drains {
  /** Something is buffered on this socket: `drained` is to be called once it has gone. */
  expect(socket: Socket): void;
  stop(): void;
}

const LOOK_MS = 100;

/** @param drained may be called where Bun has said so already */
export function createDrains(runtime: Runtime, drained: (socket: Socket) => void): Drains {
  const expected = new Set<Socket>();
  let cancelLook: Cancel | undefined;

  const look = (): void => {
    cancelLook = undefined;
    const empty = [...expected].filter((socket) => socket.data.retired || socket.getBufferedAmount() === 0);
    for (const socket of empty) expected.delete(socket);
    if (expected.size > 0) cancelLook = runtime.after(LOOK_MS, look);
    for (const socket of empty) if (!socket.data.retired) drained(socket);
  };

  return {
    expect(socket) {
      expected.add(socket);
      cancelLook ??= runtime.after(LOOK_MS, look);
    },
    stop: () => cancelLook?.(),
  };
}
