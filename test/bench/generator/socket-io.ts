import type { Connection } from "./connection.ts";
import { clientFrame, OPCODE_TEXT } from "./frames.ts";
import { MESSAGE_BYTES } from "./messages.ts";
import { connectWebSocket } from "./websocket.ts";

/**
 * Socket.IO over its WebSocket transport (Engine.IO protocol 4, Socket.IO protocol 5): a packet of text is a text frame
 * whose first digit is Engine.IO's type and, in a message, whose second is Socket.IO's.
 */
export interface SocketIoOptions {
  /** The server's root. */
  url: string;
  /** What stands in the query beside the protocol's own parameters. */
  query?: Readonly<Record<string, string>>;
  /** A message of the load, as the only argument of the event that carries it. May throw. */
  onMessage: (bytes: Uint8Array, start: number, end: number) => void;
  /** Any other event, as the text of its packet. */
  onOther: (text: string) => void;
  onChunkEnd: () => void;
  onFailure: (error: Error) => void;
}

/** Before and behind the message in the packet of the event that carries it. */
export const EVENT_HEAD = '42["message",';
export const EVENT_TAIL = "]";

const HEAD_BYTES = EVENT_HEAD.length;
const PACKET_BYTES = HEAD_BYTES + MESSAGE_BYTES + EVENT_TAIL.length;
const NAME_AT = '42["'.length;
const LETTER_M = "m".charCodeAt(0);

const OPEN = "0{";
const CONNECT = clientFrame(OPCODE_TEXT, Buffer.from("40"));
const CONNECTED = "40{";
const PING = "2";
const PONG = clientFrame(OPCODE_TEXT, Buffer.from("3"));
const EVENT = "42[";

/** Shakes hands and resolves once the server has let the client into the main namespace, where events come from. */
export async function connectSocketIo(options: SocketIoOptions): Promise<Connection> {
  const url = new URL("/socket.io/", options.url);
  for (const [name, value] of Object.entries({ EIO: "4", transport: "websocket", ...options.query })) {
    url.searchParams.set(name, value);
  }
  const opened = Promise.withResolvers<void>();
  const connected = Promise.withResolvers<void>();
  // Whoever waits for them later learns of it; that nobody waits at this moment is no unhandled rejection.
  for (const { promise } of [opened, connected]) promise.catch(() => undefined);

  function onPacket(text: string): void {
    if (text.startsWith(EVENT)) options.onOther(text);
    else if (text === PING) connection.write(PONG);
    else if (text.startsWith(OPEN)) opened.resolve();
    else if (text.startsWith(CONNECTED)) connected.resolve();
    else throw new Error(`the server sent the packet ${text.slice(0, 100)}`);
  }

  const connection = await connectWebSocket({
    url,
    headers: {},
    onFrame(_opcode, bytes, start, end) {
      // Told by its length and the event's first letter, because this runs for each delivery.
      if (end - start === PACKET_BYTES && bytes[start + NAME_AT] === LETTER_M) {
        options.onMessage(bytes, start + HEAD_BYTES, end - EVENT_TAIL.length);
      } else {
        onPacket(Buffer.from(bytes.subarray(start, end)).toString());
      }
    },
    onChunkEnd: options.onChunkEnd,
    onFailure(error) {
      opened.reject(error);
      connected.reject(error);
      options.onFailure(error);
    },
  });
  await opened.promise;
  connection.write(CONNECT);
  await connected.promise;
  return connection;
}
