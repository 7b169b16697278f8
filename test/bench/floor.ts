/**
 * The floor: the least that a Bun program can do to fan a worker's messages out. Every text frame of a socket with
 * `client_type=worker` is published to one topic, and everybody else is subscribed to it; stream-framed clients get it in
 * an envelope as long as the hub's, SSE streams as an event, all events of a turn in one chunk. No authentication, no
 * validation, no history, no limits. What the hub costs is measured against this.
 */
interface Peer {
  worker: boolean;
  topic: string;
}

/** Everybody who connects is told so much, as the hub's clients are. */
const STATUS = '{"type":"WORKER_STATUS","status":"online","metadata":{}}';
const RAW = "raw";
const STREAM = "stream";
const SUBPROTOCOL = "vectra.stream.v1";

const streams = new Set<ReadableStreamDirectController>();
const encoder = new TextEncoder();
let turn = "";
let published = 0;

const server = Bun.serve({
  hostname: process.env["HOST"] ?? "127.0.0.1",
  port: Number(process.env["PORT"] ?? "0"),
  development: false,
  fetch(request, self): Response | undefined {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/api/v1/events") return events(request, self);
    const isStream = request.headers.get("sec-websocket-protocol") === SUBPROTOCOL;
    const data = { worker: searchParams.get("client_type") === "worker", topic: isStream ? STREAM : RAW };
    if (self.upgrade(request, { data })) return undefined;
    return new Response("a WebSocket is expected here\n", { status: 426 });
  },
  websocket: {
    data: {} as Peer,
    open(socket) {
      if (socket.data.worker) return;
      socket.subscribe(socket.data.topic);
      socket.send(STATUS);
    },
    message(socket, text) {
      if (!socket.data.worker) return;
      published += 1;
      const cursor = `00000000-${published}`;
      if (server.subscriberCount(RAW) > 0) server.publish(RAW, text);
      if (server.subscriberCount(STREAM) > 0) {
        server.publish(STREAM, `{"type":"message","id":"${cursor}","data":${text}}`);
      }
      if (streams.size === 0) return;
      if (turn === "") setImmediate(flush);
      turn += `id: ${cursor}\ndata: ${text}\n\n`;
    },
  },
});

function events(request: Request, self: Bun.Server<Peer>): Response {
  self.timeout(request, 0);
  const source: Bun.DirectUnderlyingSource<Uint8Array> = {
    type: "direct",
    async pull(controller) {
      streams.add(controller);
      void controller.write(": hello\n\n");
      void controller.flush();
      const ended = Promise.withResolvers<void>();
      request.signal.addEventListener("abort", () => ended.resolve());
      await ended.promise;
      streams.delete(controller);
    },
  };
  return new Response(new ReadableStream(source), { headers: { "content-type": "text/event-stream" } });
}

function flush(): void {
  const chunk = encoder.encode(turn);
  turn = "";
  for (const stream of streams) {
    void stream.write(chunk);
    void stream.flush();
  }
}

// The same ready line as the hub's, so that the bench treats both alike.
process.stderr.write(`${JSON.stringify({ level: "info", event: "START", url: server.url.href })}\n`);
process.once("SIGTERM", () => process.exit(0));
