/**
 * Socket.IO on Node: every message of the worker is emitted to the room of all others, which Socket.IO encodes once for
 * all of them. Like the floor it greets a client with a status, and knows no authentication, no history and no limits.
 */
import { createServer } from "node:http";
import { Server } from "socket.io";

const STATUS = { type: "WORKER_STATUS", status: "online", metadata: {} };
const CLIENTS = "clients";

const server = createServer((_request, response) => response.writeHead(426).end());
const io = new Server(server, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  if (socket.handshake.query.client_type === "worker") {
    socket.on("message", (message) => io.to(CLIENTS).emit("message", message));
    return;
  }
  socket.join(CLIENTS);
  socket.emit("status", STATUS);
});

server.listen(Number(process.env.PORT ?? 0), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  const url = `http://${address}:${port}/`;
  process.stderr.write(`${JSON.stringify({ level: "info", event: "START", url })}\n`);
});
process.once("SIGTERM", () => process.exit(0));
