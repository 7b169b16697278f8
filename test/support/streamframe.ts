/** PROTOCOL.md section 3: the frames that the hub sends in stream framing, read strictly. */

export const STREAM = "vectra.stream.v1";

/** The form that every cursor has (section 0). */
export const CURSOR = /^[0-9A-Za-z._:-]{1,64}$/;

export interface Status {
  readonly status: "online" | "offline";
  readonly metadata: unknown;
}

export interface Hello {
  readonly type: "hello";
  readonly conn_id: string;
  readonly cursor: string;
  readonly resumed: boolean;
  /** Only where `resumed` is false. */
  readonly reason?: "none" | "evicted" | "unknown";
  readonly heartbeat_ms: number;
  readonly worker: Status;
}

export interface Message {
  readonly type: "message";
  readonly id: string;
  /** The message's text, byte for byte. */
  readonly data: string;
}

export interface Live {
  readonly type: "live";
  readonly id: string;
  readonly worker: Status;
}

export interface Position {
  readonly type: "position";
  readonly id: string;
}

export interface Goodbye {
  readonly type: "goodbye";
  readonly reason: string;
  readonly reconnect_after_ms: number;
}

export interface Command {
  readonly type: "command";
  readonly id: string;
  readonly attempt: number;
  /** The command's text, byte for byte. */
  readonly data: string;
}

export type StreamFrame =
  | Hello
  | Message
  | Live
  | Position
  | Goodbye
  | Command
  | ({ readonly type: "worker" } & Status)
  | { readonly type: "ack"; readonly ref?: string; readonly id: string }
  | { readonly type: "error"; readonly ref?: string; readonly reason: string }
  /** The bare text `pong`. */
  | { readonly type: "pong" };

/** The members that each frame has, in the order in which the contract shows them. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  hello: ["conn_id cursor resumed heartbeat_ms worker", "conn_id cursor resumed reason heartbeat_ms worker"],
  message: ["id data"],
  live: ["id worker"],
  position: ["id"],
  goodbye: ["reason reconnect_after_ms"],
  command: ["id attempt data"],
  worker: ["status metadata"],
  ack: ["ref id", "id"],
  error: ["ref reason", "reason"],
};

/** The source text of `data`, which is the last member. */
const DATA = /^\{"type":"(?:message|command)","id":"[^"]+",(?:"attempt":\d+,)?"data":([\s\S]*)\}$/;

/** Reads one text frame; fails on anything that section 3 does not allow. */
export function readStreamFrame(text: string): StreamFrame {
  if (text === "pong") return { type: "pong" };
  const frame = JSON.parse(text);
  const [type, ...members] = Object.keys(frame);
  if (type !== "type" || !MEMBERS[frame.type]?.includes(members.join(" "))) {
    throw new Error(`no frame of stream framing: ${text.slice(0, 300)}`);
  }
  const cursor = frame.type === "hello" ? frame.cursor : frame.id;
  if (cursor !== undefined && !CURSOR.test(cursor)) throw new Error(`no cursor: ${text.slice(0, 300)}`);
  if (frame.type !== "message" && frame.type !== "command") return frame;
  const data = DATA.exec(text)?.[1];
  if (data === undefined) throw new Error(`data is not the last member: ${text.slice(0, 300)}`);
  return { ...frame, data };
}
