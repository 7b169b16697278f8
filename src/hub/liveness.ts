import type { Config } from "../config/schema.ts";
import { CLOSE } from "../protocol/close.ts";
import type { Runtime } from "../runtime.ts";
import { retire, type Socket } from "./connection.ts";

/** A dead peer is noticed at most this much after its time-out, and at most a quarter of the shortest interval late. */
const SWEEP_LIMIT_MS = 1_000;

/**
 * The hub's own heartbeat (PROTOCOL.md, section 6). Bun's `idleTimeout` counts what is sent as a sign of life, so a
 * half-open client that is being sent to would live for ever; here only what comes in counts.
 * @param end called for a socket from which nothing has come within its time-out
 * @returns a function that stops it
 */
export function startLiveness(
  config: Pick<
    Config,
    "HEARTBEAT_INTERVAL_MS" | "HEARTBEAT_TIMEOUT_MS" | "WORKER_TIMEOUT_MS" | "CLIENT_MAX_AGE_MS"
  >,
  runtime: Runtime,
  sockets: ReadonlySet<Socket>,
  end: (socket: Socket, silentMs: number) => void,
): () => void {
  const intervalMs = config.HEARTBEAT_INTERVAL_MS;
  const timeoutMs = {
    client: config.HEARTBEAT_TIMEOUT_MS,
    worker: Math.min(config.WORKER_TIMEOUT_MS, config.HEARTBEAT_TIMEOUT_MS),
  };
  const sweepMs = Math.min(SWEEP_LIMIT_MS, Math.ceil(intervalMs / 4));
  const maxAgeMs = config.CLIENT_MAX_AGE_MS;
  let sweptMs = runtime.monotonicMs();
  let graceEndsMs = 0;

  return runtime.every(sweepMs, () => {
    const nowMs = runtime.monotonicMs();
    // A late sweep means that the hub was stopped, not the peers: their answers wait in the socket buffers, and they get
    // one more interval to be read.
    if (nowMs - sweptMs > intervalMs) graceEndsMs = nowMs + intervalMs;
    sweptMs = nowMs;
    for (const socket of sockets) {
      const silentMs = nowMs - socket.data.lastSeenMs;
      if (silentMs >= timeoutMs[socket.data.clientType] && nowMs >= graceEndsMs && !socket.data.isHeld) {
        end(socket, silentMs);
      } else if (
        maxAgeMs > 0 &&
        socket.data.clientType === "client" &&
        nowMs - socket.data.openedMs >= maxAgeMs
      ) {
        retire(socket, CLOSE.expired);
      } else if (nowMs - socket.data.lastPingMs >= intervalMs) {
        socket.data.lastPingMs = nowMs;
        // To a raw-framed worker each ping carries its newest command (see Connection).
        socket.ping(socket.data.lastCommandId);
      }
    }
  });
}
