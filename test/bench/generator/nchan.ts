import { type Connection, openSocket } from "./connection.ts";

/** Where Nchan's configuration (../peers/nchan.ts) has its publisher. */
export const PUBLISH_PATH = "/publish";

/** The head of a request that publishes a message of `bytes` bytes. Requests may be pipelined (RFC 9112 section 9.3.2). */
export function publishHead(url: URL, bytes: number): string {
  return `POST ${PUBLISH_PATH} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${bytes}\r\n\r\n`;
}

const REFUSED = /HTTP\/1\.1 [^2][^\r]*/;
/** A status line may be cut in two by a read: as much of the end is looked at again. */
const OVERLAP_CHARACTERS = 64;

/** A kept-alive connection for pipelined publishing. What is answered is read, and must be 2xx. */
export function connectNchanPublisher(url: URL, onFailure: (error: Error) => void): Promise<Connection> {
  let tail = "";
  return openSocket({
    url,
    onChunk(chunk) {
      const text = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
      const refused = REFUSED.exec(text);
      if (refused !== null) throw new Error(`the server refused: ${refused[0]}`);
      tail = text.slice(-OVERLAP_CHARACTERS);
    },
    onFailure,
  });
}
