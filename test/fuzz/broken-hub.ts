/**
 * The hub from its source with a deliberate fault, which only certain input brings out: how the fuzzer's own tests know that
 * it finds such faults. `bun test/fuzz/broken-hub.ts FAULT`
 */
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";

export const FAULTS = ["none", "dies", "logs", "fails", "loses", "repeats", "forgets", "leaks"] as const;

/** How much each connection leaves behind of `leaks`. */
const LEAK_BYTES = 524_288;

type Socket = ServerWebSocket<unknown>;

/** What the hub gives to Bun, as far as it is changed here. */
interface Options {
  readonly websocket: WebSocketHandler<unknown>;
  readonly routes: Readonly<Record<string, (...args: never[]) => unknown>>;
}

function breakHub(fault: string | undefined): void {
  const serve = Bun.serve;
  const leaked: Buffer[] = [];
  /** Set by the input that brings the fault out, until it has come out. */
  let isDue = false;

  const trigger = (text: string | Buffer): void => {
    if (String(text).includes("REGISTER_WORKER") && fault === "dies") process.kill(process.pid, "SIGKILL");
    if (text !== "get_worker_status") return;
    isDue = true;
    if (fault === "logs")
      console.error("error: Uncaught: it was asked for\n      at trigger (broken-hub.ts:1:1)");
  };
  const spoilPublish = (server: Server<unknown>): void => {
    const publish = server.publish.bind(server);
    server.publish = (topic, data, compress) => {
      const isSpoilt = isDue && String(data).includes("FUZZ_WITNESS");
      if (isSpoilt) isDue = false;
      if (isSpoilt && fault === "loses") return String(data).length;
      if (isSpoilt && fault === "repeats") publish(topic, data, compress);
      return publish(topic, data, compress);
    };
  };
  const broken = (options: Options): Server<unknown> => {
    const { websocket, routes } = options;
    const server: Server<unknown> = serve({
      ...options,
      websocket: {
        ...websocket,
        open(socket: Socket) {
          if (fault === "leaks") leaked.push(Buffer.alloc(LEAK_BYTES, 1));
          return websocket.open?.(socket);
        },
        message(socket: Socket, text: string | Buffer<ArrayBuffer>) {
          trigger(text);
          return websocket.message?.(socket, text);
        },
        close(socket: Socket, code: number, reason: string) {
          if (fault === "forgets" && isDue) isDue = false;
          else return websocket.close?.(socket, code, reason);
        },
      },
      routes: {
        ...routes,
        "/metrics": (...args: never[]) => {
          if (fault === "fails") throw new Error("it was asked for");
          return routes["/metrics"]?.(...args);
        },
      },
    } as never);
    spoilPublish(server);
    return server;
  };
  Object.assign(Bun, { serve: broken });
}

if (import.meta.main) {
  const [fault] = process.argv.splice(2, 1);
  if (!FAULTS.some((known) => known === fault)) throw new Error(`which fault? One of ${FAULTS.join(", ")}`);
  breakHub(fault);
  await import("../../src/main.ts");
}
