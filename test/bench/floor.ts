/**
 * The floor: the least that a Bun program can do to fan a worker's messages out. Every text frame of a socket with
 * `client_type=worker` is published to one topic, and everybody else is subscribed to it. No authentication, no
 * validation, no history. What the hub costs is measured against this.
 */
interface Peer {
  worker: boolean;
}

const TOPIC = "everyone";

const server = Bun.serve({
  hostname: process.env["HOST"] ?? "127.0.0.1",
  port: Number(process.env["PORT"] ?? "0"),
  development: false,
  fetch(request, self) {
    const worker = new URL(request.url).searchParams.get("client_type") === "worker";
    if (self.upgrade(request, { data: { worker } })) return undefined;
    return new Response("a WebSocket is expected here\n", { status: 426 });
  },
  websocket: {
    data: {} as Peer,
    open(socket) {
      if (!socket.data.worker) socket.subscribe(TOPIC);
    },
    message(socket, text) {
      if (socket.data.worker) server.publish(TOPIC, text);
      // The load generator's fence: what was published before has left once this answer is there.
      else socket.send("pong");
    },
  },
});

// The same ready line as the hub's, so that the bench treats both alike.
process.stderr.write(`${JSON.stringify({ level: "info", event: "START", url: server.url.href })}\n`);
process.once("SIGTERM", () => process.exit(0));
