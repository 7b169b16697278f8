/** A TCP load balancer in front of several hubs: each new connection goes to the next one. */
export interface Balancer extends AsyncDisposable {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  /** Refuses connections from now on. What is open goes on. */
  refuse(): void;
}

/** One side of a connection that goes through. */
interface Side {
  socket: Bun.Socket<Side> | undefined;
  readonly other: () => Side;
  /** What this side's socket has not taken yet: of one chunk the rest, for its source is not read meanwhile. */
  unsent: Uint8Array[];
  /** Its source has sent FIN: after what is unsent, this side is to be told. */
  isToEnd: boolean;
  /** This side has sent FIN itself. */
  hasEnded: boolean;
}

/**
 * Bytes, FIN and RST pass as they come, in both directions, and a receiver that does not read is felt by its sender: what
 * a client sees of a hub's end, it sees through the balancer too.
 * @param targets `http://127.0.0.1:41234` of each hub; one that refuses is passed over
 * @param port to listen on; 0 for a free one
 */
export function startBalancer(targets: readonly string[], port = 0): Balancer {
  const open = new Set<Side>();
  let next = 0;

  const connect = async (server: Side): Promise<void> => {
    const first = next++;
    for (const at of targets.keys()) {
      const { hostname, port: targetPort } = new URL(targets[(first + at) % targets.length] ?? "");
      try {
        await Bun.connect<Side>({
          hostname,
          port: Number(targetPort),
          allowHalfOpen: true,
          data: server,
          socket: handlers,
        });
        return;
      } catch {
        // Nobody listens there: the next one.
      }
    }
    server.other().socket?.terminate();
  };

  const handlers: Bun.SocketHandler<Side> = {
    open(socket) {
      const side = socket.data;
      side.socket = socket;
      // Its client may be gone already.
      if (open.has(side.other())) flush(side);
      else socket.terminate();
    },
    data: ({ data: side }, bytes) => {
      side.other().unsent.push(new Uint8Array(bytes));
      flush(side.other());
    },
    drain: ({ data: side }) => flush(side),
    end: ({ data: side }) => {
      side.other().isToEnd = true;
      flush(side.other());
    },
    error: () => undefined,
    close({ data: side }, error) {
      open.delete(side);
      const other = side.other();
      // An error is an RST of the peer. What it had sent before is lost with it, as without a balancer.
      if (error !== undefined) other.socket?.terminate();
      other.isToEnd = true;
      flush(other);
    },
  };

  const listener = Bun.listen<Side>({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    socket: {
      ...handlers,
      open(socket) {
        const client: Side = { ...freshSide(), socket, other: () => server };
        const server: Side = { ...freshSide(), socket: undefined, other: () => client };
        socket.data = client;
        open.add(client);
        void connect(server);
      },
    },
  });

  return {
    url: `http://127.0.0.1:${listener.port}`,
    refuse: () => listener.stop(),
    [Symbol.asyncDispose]() {
      for (const { socket, other } of open) {
        socket?.terminate();
        other().socket?.terminate();
      }
      listener.stop(true);
      return Promise.resolve();
    },
  };
}

function freshSide(): Pick<Side, "unsent" | "isToEnd" | "hasEnded"> {
  return { unsent: [], isToEnd: false, hasEnded: false };
}

/** Writes what the socket takes, stops or goes on reading its source accordingly, and passes on the FIN behind it. */
function flush(side: Side): void {
  const { socket, unsent } = side;
  const source = side.other().socket;
  for (let head = unsent[0]; head !== undefined; head = unsent[0]) {
    const written = socket === undefined ? 0 : Math.max(0, socket.write(head));
    if (written < head.length) {
      unsent[0] = head.subarray(written);
      source?.pause();
      return;
    }
    unsent.shift();
  }
  source?.resume();
  if (socket === undefined || !side.isToEnd || side.hasEnded) return;
  side.hasEnded = true;
  // Both directions are over: nothing is left to wait for.
  if (side.other().hasEnded) {
    socket.end();
    source?.end();
  } else {
    socket.shutdown();
  }
}
