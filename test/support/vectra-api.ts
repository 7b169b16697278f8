import type { ServerWebSocket } from "bun";
import { checkFrame, createWatch } from "./contract.ts";
import { within } from "./deadline.ts";
import { SECRET } from "./hub.ts";
import { pythonJson } from "./python-json.ts";

/** A WebSocket that Vectra's API holds. */
export interface ApiSocket {
  readonly role: "client" | "worker";
  /** The path and query with which it came. */
  readonly target: string;
  readonly headers: Headers;
  /** Every text frame it has sent, oldest first. */
  readonly received: readonly string[];
  /** The code and reason with which it ended; undefined while it is open. */
  readonly ended: { readonly code: number; readonly reason: string } | undefined;
}

/**
 * A stand-in for an unmodified Vectra API process: its WebSocket module, and what the rest of it does with that. What the
 * hub's bridge sends must be what the hub's own contract has for a raw client or worker.
 */
export interface VectraApi extends AsyncDisposable {
  readonly port: number;
  /** `ws://127.0.0.1:…/api/v1/ws` */
  readonly wsUrl: string;
  /** Every socket that was accepted, oldest first, the ended ones included. */
  readonly sockets: readonly ApiSocket[];
  /** How many handshakes were refused for a wrong secret. */
  refusedCount(): number;
  /** The socket in the one slot for a worker. */
  worker(): ApiSocket | undefined;
  /** Sends to every active connection, the worker's included. */
  broadcast(text: string): void;
  /** Sends to the worker alone. @returns false where there is none, and it was dropped without a word */
  sendToWorker(text: string): boolean;
  /** From now on it reads and says nothing, as when its event loop hangs. Broadcasts still go out if asked for. */
  hang(): void;
  /** Closes every socket with this code, as the server that runs it would on its own accord. */
  closeAll(code: number): void;
  /** Resolves once `fits` holds; tried again at each event. */
  until(what: string, fits: () => boolean): Promise<void>;
  /** Resets every connection and frees the port. */
  stop(): Promise<void>;
}

export interface VectraApiOptions {
  /** Default: a free one. */
  readonly port?: number;
  readonly secret?: string;
  /** Does not broadcast what the worker sends: unlike the original, but another version of it may. */
  readonly isWithoutEcho?: boolean;
  /** Called right after a socket has come, said something or gone: what its process does at just that moment. */
  readonly onEvent?: () => void;
}

interface State {
  readonly role: "client" | "worker";
  readonly target: string;
  readonly headers: Headers;
  readonly received: string[];
  ended: { code: number; reason: string } | undefined;
}

/** Starts a stand-in on loopback. */
export function startVectraApi(options: VectraApiOptions = {}): VectraApi {
  /** `active_connections` of the original: clients and workers alike. */
  const active = new Set<ServerWebSocket<State>>();
  const sockets: State[] = [];
  const watchers = new Set<() => void>();
  let workerSlot: ServerWebSocket<State> | undefined;
  const watch = createWatch();
  let refusals = 0;
  let isHanging = false;

  const changed = (): void => {
    options.onEvent?.();
    for (const watcher of [...watchers]) watcher();
  };
  const broadcast = (text: string): void => {
    for (const socket of active) socket.send(text);
  };
  const broadcastStatus = (): void => {
    const isOnline = workerSlot !== undefined;
    const status = isOnline ? "online" : "offline";
    broadcast(pythonJson({ type: "WORKER_STATUS", status, metadata: isOnline ? {} : null }));
  };

  const server = Bun.serve<State>({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    fetch(request, self) {
      const { pathname, search, searchParams } = new URL(request.url);
      const isWorker = searchParams.getAll("client_type").at(-1) === "worker";
      const given = request.headers.get("x-worker-secret") || searchParams.get("token");
      if (isWorker && given !== (options.secret ?? SECRET)) {
        refusals += 1;
        changed();
        // Closing before `accept` is a plain 403 on the wire.
        return new Response(null, { status: 403 });
      }
      const role = isWorker ? "worker" : "client";
      const { headers } = request;
      const data: State = { role, target: pathname + search, headers, received: [], ended: undefined };
      return self.upgrade(request, { data }) ? undefined : new Response(null, { status: 404 });
    },
    websocket: {
      open(socket) {
        sockets.push(socket.data);
        active.add(socket);
        broadcastStatus();
        if (socket.data.role === "worker") {
          workerSlot?.close(1000);
          workerSlot = socket;
          broadcastStatus();
        }
        changed();
      },
      message(socket, message) {
        if (isHanging || typeof message !== "string") return;
        socket.data.received.push(message);
        const party = socket.data.role === "worker" ? "rawWorker" : "rawClient";
        watch.see(() => checkFrame(party, message, "receives"));
        if (message === "ping") socket.send("pong");
        else if (message === "get_worker_status") broadcastStatus();
        else if (socket.data.role === "worker") echo(message);
        changed();
      },
      close(socket, code, reason) {
        active.delete(socket);
        socket.data.ended = { code, reason };
        if (workerSlot === socket) {
          workerSlot = undefined;
          broadcastStatus();
        }
        changed();
      },
    },
  });

  function echo(message: string): void {
    const value: unknown = JSON.parse(message);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    if (options.isWithoutEcho !== true) broadcast(pythonJson(value));
  }

  const port = server.port ?? 0;
  const stop = async (): Promise<void> => {
    for (const socket of active) socket.terminate();
    await server.stop(true);
    watch.verify();
  };
  return {
    port,
    wsUrl: `ws://127.0.0.1:${port}/api/v1/ws`,
    sockets,
    refusedCount: () => refusals,
    worker: () => workerSlot?.data,
    broadcast,
    sendToWorker(text) {
      workerSlot?.send(text);
      return workerSlot !== undefined;
    },
    hang() {
      isHanging = true;
    },
    closeAll(code) {
      for (const socket of active) socket.close(code);
    },
    async until(what, fits) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (fits()) resolve();
      };
      watchers.add(look);
      look();
      try {
        await within(promise, what);
      } finally {
        watchers.delete(look);
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
