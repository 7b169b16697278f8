/**
 * `ws` on Node, as its documentation broadcasts: every text frame of the worker is sent to every other client. Like the
 * floor it greets a client with a status, and knows no authentication, no history and no limits.
 */
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const STATUS = '{"type":"WORKER_STATUS","status":"online","metadata":{}}';

const server = createServer((_request, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ server });
const clients = new Set();

sockets.on("connection", (socket, request) => {
  const { searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (searchParams.get("client_type") === "worker") {
    socket.on("message", (data, isBinary) => {
      for (const client of clients) client.send(data, { binary: isBinary });
    });
    return;
  }
  clients.add(socket);
  socket.on("close", () => clients.delete(socket));
  socket.send(STATUS);
});

server.listen(Number(process.env.PORT ?? 0), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  const url = `http://${address}:${port}/`;
  process.stderr.write(`${JSON.stringify({ level: "info", event: "START", url })}\n`);
});
process.once("SIGTERM", () => process.exit(0));
