import { within } from "./deadline.ts";

/** A plain TCP connection under the test's control. */
export interface Tcp {
  write(bytes: Uint8Array | string): void;
  /** Sends FIN and goes on reading. */
  halfClose(): void;
  /** Sends RST: the peer learns of the end as from a crashed machine. */
  reset(): void;
  /** Stops reading, so that the peer's buffers fill. */
  pause(): void;
  resume(): void;
  /** Bytes go here; what came before a receiver was set is handed to it first. */
  receive(receiver: (bytes: Uint8Array) => void): void;
  /** Resolves once neither side can send any more, whoever ended it. */
  readonly closed: Promise<void>;
}

/** Connects to the host and port of `url`. */
export async function connectTcp(url: string): Promise<Tcp> {
  const { hostname, port } = new URL(url);
  const closed = Promise.withResolvers<void>();
  const early: Uint8Array[] = [];
  const unsent: Uint8Array[] = [];
  let receiver = (bytes: Uint8Array): void => {
    early.push(bytes);
  };

  const socket = await within(
    Bun.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port),
      // The server's FIN must not end our side by itself, or a test could not see who ended what.
      allowHalfOpen: true,
      socket: {
        data: (_, bytes) => receiver(new Uint8Array(bytes)),
        drain: flush,
        // Nothing is left to say to a server that has ended its side.
        end: (ended) => void ended.end(),
        error: () => closed.resolve(),
        close: () => closed.resolve(),
      },
    }),
    `TCP connection to ${url}`,
  );

  function flush(): void {
    for (let head = unsent[0]; head !== undefined; head = unsent[0]) {
      const written = Math.max(0, socket.write(head));
      if (written < head.length) {
        unsent[0] = head.subarray(written);
        return;
      }
      unsent.shift();
    }
  }

  return {
    write(bytes) {
      unsent.push(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
      if (unsent.length === 1) flush();
    },
    halfClose: () => socket.shutdown(),
    reset: () => socket.terminate(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    receive(next) {
      receiver = next;
      for (const bytes of early.splice(0)) next(bytes);
    },
    closed: closed.promise,
  };
}
