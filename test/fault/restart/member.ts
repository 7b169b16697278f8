import { createFrameParser, OPCODE, readClose } from "../../support/frame.ts";
import { encodeRequest, parseHead } from "../../support/http.ts";
import { handshake } from "../../support/rawsocket.ts";
import { STREAM } from "../../support/streamframe.ts";

/** What the members of a fleet have been through, added up. */
export interface Tally {
  /** How many are live at this moment. */
  live: number;
  goodbyes: number;
  /** Closes by code. */
  readonly closes: Record<number, number>;
  /** What came of each return: `resumed`, or the reason why not. */
  readonly returns: Record<string, number>;
  /** The times at which they were told to come back, after their goodbye, in ms. */
  readonly announcedMs: number[];
  /** When they came, in ms since 1970, on a clock that never jumps. */
  readonly arrivedMs: number[];
  /** What must not have happened. */
  readonly faults: string[];
}

export interface MemberOptions {
  readonly url: string;
  readonly tally: Tally;
  /** How much of the announced time it waits: 1 = as told. */
  readonly patience: number;
}

export interface Member {
  /** The number of the last message that it got. */
  last(): number;
  leave(): void;
}

/** Where nobody listens it tries again after so long, with jitter. */
const RETRY_MS = 200;

const MESSAGE = /^\{"type":"message","id":"([^"]+)","data":\{"n":(\d+)\}\}$/;

/**
 * A dashboard in stream framing on a plain TCP connection, so that thousands of them fit into a process. It resumes, and
 * checks that messages come numbered without a gap: across a return, too, unless it was told that there is one.
 */
export function createMember({ url, tally, patience }: MemberOptions): Member {
  const { hostname, port, host } = new URL(url);
  let cursor: string | undefined;
  let last = 0;
  /** Any number may follow: it has just come, or was told that it missed something. */
  let isNew = true;
  let isLive = false;
  let isOver = false;
  let announcedMs: number | undefined;
  let socket: Bun.Socket | undefined;

  const fault = (what: string): void => {
    // The first few say enough.
    if (tally.faults.length < 20) tally.faults.push(what);
  };

  const takeMessage = (id: string, n: number): void => {
    if (!isNew && n !== last + 1) fault(`message ${n} after ${last}`);
    isNew = false;
    last = n;
    cursor = id;
  };
  const takeHello = (hello: { cursor: string; resumed: boolean; reason?: string }): void => {
    if (cursor !== undefined) {
      const outcome = hello.resumed ? "resumed" : String(hello.reason);
      tally.returns[outcome] = (tally.returns[outcome] ?? 0) + 1;
      if (!hello.resumed) isNew = true;
    }
    cursor = hello.cursor;
  };
  const takeText = (text: string): void => {
    const message = MESSAGE.exec(text);
    if (message !== null) {
      takeMessage(message[1] ?? "", Number(message[2]));
      return;
    }
    const frame = JSON.parse(text);
    if (frame.type === "hello") takeHello(frame);
    else if (frame.type === "position") cursor = frame.id;
    else if (frame.type === "live") {
      cursor = frame.id;
      isLive = true;
      tally.live += 1;
    } else if (frame.type === "goodbye") {
      announcedMs = frame.reconnect_after_ms;
      tally.goodbyes += 1;
      tally.announcedMs.push(frame.reconnect_after_ms);
    } else fault(`an unexpected frame: ${text.slice(0, 200)}`);
  };

  const ended = (): void => {
    if (isLive) tally.live -= 1;
    isLive = false;
    socket = undefined;
    if (isOver) return;
    const waitMs = announcedMs === undefined ? RETRY_MS * (1 + Math.random()) : announcedMs * patience;
    setTimeout(() => {
      if (announcedMs !== undefined) tally.arrivedMs.push(performance.timeOrigin + performance.now());
      announcedMs = undefined;
      connect();
    }, waitMs);
  };

  const connect = (): void => {
    if (isOver) return;
    const query = cursor === undefined ? "" : `?since=${cursor}`;
    const head = handshake(`${url}/ws${query}`, { "sec-websocket-protocol": STREAM });
    const parse = createFrameParser();
    let response: Uint8Array | undefined = new Uint8Array();
    const takeFrames = (bytes: Uint8Array): void => {
      for (const { opcode, payload, fin, rsv } of parse(bytes)) {
        if (opcode === OPCODE.text) takeText(Buffer.from(payload).toString());
        else if (opcode === OPCODE.close) {
          const { code } = readClose({ opcode, payload, fin, rsv });
          tally.closes[code] = (tally.closes[code] ?? 0) + 1;
          socket?.end();
        }
      }
    };
    Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open(opened) {
          socket = opened;
          opened.write(encodeRequest(host, head));
        },
        data(_, bytes) {
          if (response === undefined) {
            takeFrames(bytes);
            return;
          }
          response = Buffer.concat([response, bytes]);
          const parsed = parseHead(response);
          if (parsed === undefined) return;
          if (parsed.status !== 101) fault(`refused with ${parsed.status}`);
          const rest = response.subarray(parsed.size);
          response = undefined;
          takeFrames(rest);
        },
        close: ended,
        error: () => undefined,
      },
    }).catch(ended);
  };

  connect();
  return {
    last: () => last,
    leave() {
      isOver = true;
      socket?.terminate();
    },
  };
}
