import type { Connection } from "./connection.ts";
import { clientFrame, OPCODE_TEXT } from "./frames.ts";
import { messageBytes, writeSequence } from "./messages.ts";
import { connectNchanPublisher, publishHead } from "./nchan.ts";
import type { Wire } from "./receiver.ts";
import { connectSocketIo, EVENT_HEAD, EVENT_TAIL } from "./socket-io.ts";
import { connectWebSocket } from "./websocket.ts";

export interface PublisherOptions {
  /** The server's root. */
  url: string;
  workerSecret: string;
  /** What the server speaks; the hub's own protocol unless it says otherwise. */
  wire?: Wire;
  maxInFlight: number;
  /** The number of its first message, and from each to the next; 0 and 1 where it is the only publisher. */
  numbers?: { readonly first: number; readonly step: number };
  onFailure: (error: Error) => void;
}

/** The sending side: a worker's connection. */
export interface Publisher {
  /** Messages sent so far, which is also the number of the next one where it is the only publisher. */
  readonly sent: number;
  /** Sends the next `messages` (at most `maxInFlight`) in one write, as a busy worker's socket would. */
  send(messages: number): void;
  close(): void;
}

/** How one message is sent: the bytes around it and how many of them are behind it. */
interface Parcel {
  bytes: Buffer;
  behindMessage: number;
}

/** Connects as a worker does, in whatever way the server knows. */
export async function connectPublisher(options: PublisherOptions): Promise<Publisher> {
  const { bytes, behindMessage } = parcel(options);
  const { first, step } = options.numbers ?? { first: 0, step: 1 };
  const batch = Buffer.concat(Array.from({ length: options.maxInFlight }, () => bytes));
  let sent = 0;
  const connection = await connect({
    ...options,
    onFailure: (error) => options.onFailure(new Error(`publisher: ${error.message}`)),
  });

  return {
    get sent() {
      return sent;
    },
    send(messages) {
      for (let index = 1; index <= messages; index += 1) {
        writeSequence(batch, index * bytes.length - behindMessage, first + sent * step);
        sent += 1;
      }
      connection.write(batch.subarray(0, messages * bytes.length));
    },
    close: () => connection.end(),
  };
}

function parcel({ wire, url }: PublisherOptions): Parcel {
  const message = messageBytes(0);
  if (wire === "nchan") {
    const head = Buffer.from(publishHead(new URL(url), message.length));
    return { bytes: Buffer.concat([head, message]), behindMessage: 0 };
  }
  if (wire === "socket.io") {
    const packet = Buffer.concat([Buffer.from(EVENT_HEAD), message, Buffer.from(EVENT_TAIL)]);
    return { bytes: clientFrame(OPCODE_TEXT, packet), behindMessage: EVENT_TAIL.length };
  }
  return { bytes: clientFrame(OPCODE_TEXT, message), behindMessage: 0 };
}

/** What comes back, such as status frames for the worker, is passed over. */
function connect({ url, wire, workerSecret, onFailure }: PublisherOptions): Promise<Connection> {
  const nothing = (): void => undefined;
  if (wire === "nchan") return connectNchanPublisher(new URL(url), onFailure);
  const query = { client_type: "worker" };
  if (wire === "socket.io") {
    return connectSocketIo({
      ...{ url, query, onFailure },
      onMessage: nothing,
      onOther: nothing,
      onChunkEnd: nothing,
    });
  }
  // PROTOCOL.md section 1: the secret in its header.
  const address = new URL("/ws", url);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  const headers = { "x-worker-secret": workerSecret };
  return connectWebSocket({ url: address, headers, onFrame: nothing, onChunkEnd: nothing, onFailure });
}
