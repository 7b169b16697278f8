/** What goes wrong on one connection. Without any of it bytes pass as they come. */
export interface Faults {
  /** The connection is cut when so many bytes have passed from the client to the server; the rest never arrives. */
  readonly cutUpBytes?: number;
  /** The same from the server to the client. */
  readonly cutDownBytes?: number;
  /** How it is cut: `reset` as by a crash (RST), `end` in good order (FIN), `silence`: both sides hear nothing any more. */
  readonly cutBy?: "reset" | "end" | "silence";
  /** Every chunk arrives so much later. */
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
  /** Nobody seems to be there: the connection is accepted and reset. */
  readonly isRefused?: boolean;
}

/** A TCP proxy in front of a server, under the test's control. */
export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  /** When each connection was accepted, on `performance.now`. */
  readonly acceptedAtMs: readonly number[];
  /** How many connections are open. */
  open(): number;
  /** Bytes passed on so far, over all connections. */
  passedBytes(): { readonly up: number; readonly down: number };
  /** What goes wrong on connections from now on, by their number, counted from 0. */
  plan(faults: (connection: number) => Faults): void;
  /** Cuts all that are open now. */
  cutAll(how: NonNullable<Faults["cutBy"]>): void;
}

/** Above this the source is not read, so that a slow receiver is felt. */
const WAITING_LIMIT_BYTES = 262_144;
const THROTTLE_STEP_MS = 20;

interface Pipe {
  take(bytes: Uint8Array): void;
  drained(): void;
  /** The source has ended: what waits still passes. */
  end(): void;
}

interface Ends {
  client: Bun.Socket<Ends>;
  server: Bun.Socket | undefined;
  up: Pipe;
  down: Pipe;
  cut(how: NonNullable<Faults["cutBy"]>): void;
}

/** @param url the server's `http://127.0.0.1:41234` */
export function createProxy(url: string): FaultProxy {
  const target = { hostname: new URL(url).hostname, port: Number(new URL(url).port) };
  const open = new Set<Ends>();
  const acceptedAtMs: number[] = [];
  const passed = { up: 0, down: 0 };
  let plan = (_connection: number): Faults => ({});

  const accept = (client: Bun.Socket<Ends>, faults: Faults): void => {
    let isSilent = false;
    const cut: Ends["cut"] = (how) => {
      isSilent = true;
      if (how === "silence") return;
      open.delete(ends);
      for (const socket of [ends.server, client]) {
        if (how === "reset") socket?.terminate();
        else socket?.end();
      }
    };
    const pipe = (direction: "up" | "down", limit: number | undefined): Pipe =>
      createPipe({
        faults,
        to: () => (direction === "up" ? ends.server : client),
        from: () => (direction === "up" ? client : ends.server),
        isSilent: () => isSilent,
        limitBytes: limit ?? Number.POSITIVE_INFINITY,
        passed: (bytes) => {
          passed[direction] += bytes;
        },
        cut: () => cut(faults.cutBy ?? "reset"),
      });
    const ends: Ends = {
      client,
      server: undefined,
      up: pipe("up", faults.cutUpBytes),
      down: pipe("down", faults.cutDownBytes),
      cut,
    };
    client.data = ends;
    open.add(ends);
    if (faults.isRefused === true) {
      cut("reset");
      return;
    }
    void Bun.connect({
      ...target,
      socket: {
        open(server) {
          ends.server = server;
          if (open.has(ends)) ends.up.drained();
          else server.terminate();
        },
        data: (_, bytes) => ends.down.take(new Uint8Array(bytes)),
        drain: () => ends.up.drained(),
        close: () => ends.down.end(),
        error: () => undefined,
      },
    }).catch(() => cut("reset"));
  };

  const listener = Bun.listen<Ends>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(client) {
        acceptedAtMs.push(performance.now());
        accept(client, plan(acceptedAtMs.length - 1));
      },
      data: ({ data }, bytes) => data.up.take(new Uint8Array(bytes)),
      drain: ({ data }) => data.down.drained(),
      close({ data }) {
        open.delete(data);
        data.up.end();
      },
      error: () => undefined,
    },
  });
  return {
    url: `http://127.0.0.1:${listener.port}`,
    acceptedAtMs,
    open: () => open.size,
    passedBytes: () => ({ ...passed }),
    plan(next) {
      plan = next;
    },
    cutAll(how) {
      for (const ends of [...open]) ends.cut(how);
    },
    [Symbol.asyncDispose]() {
      for (const ends of [...open]) ends.cut("reset");
      listener.stop(true);
      return Promise.resolve();
    },
  };
}

interface PipeOptions {
  readonly faults: Faults;
  readonly to: () => Bun.Socket<Ends> | Bun.Socket | undefined;
  readonly from: () => Bun.Socket<Ends> | Bun.Socket | undefined;
  readonly isSilent: () => boolean;
  readonly limitBytes: number;
  readonly passed: (bytes: number) => void;
  readonly cut: () => void;
}

function createPipe({ faults, to, from, isSilent, limitBytes, passed, cut }: PipeOptions): Pipe {
  const { delayMs = 0, bytesPerSecond } = faults;
  const waiting: { readonly bytes: Uint8Array; readonly dueMs: number }[] = [];
  let waitingBytes = 0;
  let leftBytes = limitBytes;
  let isRunning = false;
  let hasEnded = false;
  let wake = (): void => undefined;

  /** @returns when all of it has been written, or nothing can be any more */
  const write = async (bytes: Uint8Array): Promise<void> => {
    for (let rest = bytes; rest.length > 0 && !isSilent(); ) {
      const socket = to();
      const written = socket === undefined ? 0 : socket.write(rest);
      if (written < 0) return;
      passed(written);
      rest = rest.subarray(written);
      if (rest.length > 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  };

  const run = async (): Promise<void> => {
    isRunning = true;
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      const { bytes, dueMs } = chunk;
      if (dueMs > performance.now()) await Bun.sleep(dueMs - performance.now());
      const allowed = bytes.subarray(0, Math.max(0, Math.min(bytes.length, leftBytes)));
      const step = bytesPerSecond === undefined ? allowed.length : (bytesPerSecond * THROTTLE_STEP_MS) / 1000;
      for (let at = 0; at < allowed.length; at += Math.max(1, Math.floor(step))) {
        await write(allowed.subarray(at, at + Math.max(1, Math.floor(step))));
        if (bytesPerSecond !== undefined) await Bun.sleep(THROTTLE_STEP_MS);
      }
      leftBytes -= bytes.length;
      waitingBytes -= bytes.length;
      if (leftBytes <= 0 && !isSilent()) {
        to()?.flush();
        cut();
      }
      if (waitingBytes < WAITING_LIMIT_BYTES) from()?.resume();
    }
    isRunning = false;
    if (hasEnded && !isSilent()) to()?.end();
  };

  return {
    take(bytes) {
      if (isSilent()) return;
      waiting.push({ bytes, dueMs: performance.now() + delayMs });
      waitingBytes += bytes.length;
      if (waitingBytes >= WAITING_LIMIT_BYTES) from()?.pause();
      if (!isRunning) void run();
    },
    drained: () => wake(),
    end() {
      hasEnded = true;
      wake();
      if (!isRunning && !isSilent()) to()?.end();
    },
  };
}
