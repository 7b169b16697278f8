import type { StreamConnection } from "../support/stream.ts";

export interface RawTransportOptions {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  readonly types: string | undefined;
  /** Gets every text in order, until `drop`. */
  readonly take: (text: string) => void;
}

/** A client of raw framing, as a browser has it. */
export function overRaw({ url, types, take }: RawTransportOptions): StreamConnection {
  const query = types === undefined ? "" : `?types=${types}`;
  const socket = new WebSocket(`${url.replace("http:", "ws:")}/ws${query}`);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  socket.onmessage = ({ data }) => {
    if (!isOver) take(String(data));
  };
  socket.onclose = () => resolve();
  return {
    drop() {
      isOver = true;
      socket.terminate();
    },
    ended,
  };
}
