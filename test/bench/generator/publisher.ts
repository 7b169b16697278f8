import { clientFrame, OPCODE_TEXT } from "./frames.ts";
import { messageBytes, writeSequence } from "./messages.ts";
import { connectWebSocket } from "./websocket.ts";

export interface PublisherOptions {
  /** The server's root. */
  url: string;
  workerSecret: string;
  maxInFlight: number;
  onFailure: (error: Error) => void;
}

/** The sending side: a worker's connection. */
export interface Publisher {
  /** Messages sent so far, which is also the number of the next one. */
  readonly sent: number;
  /** Sends the next `messages` (at most `maxInFlight`) in one write, as a busy worker's socket would. */
  send(messages: number): void;
  close(): void;
}

/** Connects as a worker does: `client_type=worker`, the secret in its header (PROTOCOL.md section 1). */
export async function connectPublisher(options: PublisherOptions): Promise<Publisher> {
  const url = new URL("/ws", options.url);
  url.searchParams.set("client_type", "worker");
  const frame = clientFrame(OPCODE_TEXT, messageBytes(0));
  const batch = Buffer.concat(Array.from({ length: options.maxInFlight }, () => frame));
  let sent = 0;

  const connection = await connectWebSocket({
    url,
    headers: { "x-worker-secret": options.workerSecret },
    // Status frames for the worker: nothing to do.
    onFrame: () => undefined,
    onChunkEnd: () => undefined,
    onFailure: (error) => options.onFailure(new Error(`publisher: ${error.message}`)),
  });

  return {
    get sent() {
      return sent;
    },
    send(messages) {
      for (let index = 1; index <= messages; index += 1) {
        writeSequence(batch, index * frame.length, sent);
        sent += 1;
      }
      connection.write(batch.subarray(0, messages * frame.length));
    },
    close: () => connection.end(),
  };
}
