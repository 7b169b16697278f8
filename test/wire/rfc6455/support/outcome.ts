import { createHash } from "node:crypto";
import { type Frame, OPCODE, readClose } from "../../../support/frame.ts";
import type { RawSocket } from "../../../support/rawsocket.ts";
import { isStatus } from "./stage.ts";

type Connection = Pick<RawSocket, "frame" | "next">;

/** Codes whose reason is Bun's own wording, which no peer should read. */
const WORDED_BY_BUN = [1002, 1007, 1009];

/** Behind it in the stream of frames is nothing that belongs to the case. */
const FENCE = Buffer.from("fence");

const LINE_LIMIT_BYTES = 200;

/** A text as a line of an outcome; a long one by its size and digest. */
export function brief(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= LINE_LIMIT_BYTES) return JSON.stringify(text);
  return `${bytes} bytes, sha256 ${createHash("sha256").update(text).digest("hex")}`;
}

/** The line for a pong with this payload. */
export function pong(payload: string | Uint8Array = ""): string {
  return `pong ${Buffer.from(payload).toString("hex")}`.trimEnd();
}

/** The line for a message that has reached the witness. */
export function delivered(text: string): string {
  return `delivered ${brief(text)}`;
}

/** The answer to a text `ping`: the connection understands messages. */
export const TEXT_PONG = 'text "pong"';

/** The events up to the end of the connection, or up to the answer to a ping sent now; without status frames. */
export async function eventsOf(socket: Connection, untilEnd: boolean): Promise<string[]> {
  // A ping would do no good where an end is due: bytes that arrive behind it can turn the hub's FIN into a reset.
  if (!untilEnd) socket.frame({ opcode: OPCODE.ping, payload: FENCE });
  const events: string[] = [];
  while (true) {
    const frame = await unlessEnded(socket.next());
    if (frame === undefined) return [...events, "end"];
    if (frame.opcode === OPCODE.pong && FENCE.equals(frame.payload)) return [...events, "open"];
    const event = describe(frame);
    if (event !== undefined) events.push(event);
  }
}

/** What comes, or undefined where the connection has ended first. */
export async function unlessEnded<T>(coming: Promise<T>): Promise<T | undefined> {
  try {
    return await coming;
  } catch (error) {
    if (error instanceof Error && error.message.includes("the connection has ended")) return undefined;
    throw error;
  }
}

/** The frame's line; undefined for a status. Servers send whole frames without reserved bits (5.2). */
function describe(frame: Frame): string | undefined {
  const odd = frame.fin && frame.rsv === 0 ? "" : `fin ${frame.fin} rsv ${frame.rsv} `;
  switch (frame.opcode) {
    case OPCODE.text: {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(frame.payload);
      return isStatus(text) ? undefined : `${odd}text ${brief(text)}`;
    }
    case OPCODE.pong:
      return `${odd}${pong(frame.payload)}`;
    case OPCODE.close: {
      const { code, reason } = readClose(frame);
      const said = WORDED_BY_BUN.includes(code) ? "" : reason;
      return `${odd}close ${code} ${said}`.trimEnd();
    }
    default:
      return `${odd}opcode ${frame.opcode} ${Buffer.from(frame.payload).toString("hex")}`;
  }
}
