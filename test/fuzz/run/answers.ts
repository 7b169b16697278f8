import { createEventParser, type EventBlock } from "../../support/event-stream.ts";
import { createFrameParser, type Frame, OPCODE, readClose } from "../../support/frame.ts";
import { parseHead } from "../../support/http.ts";
import { createChunkedReader } from "../../support/http-chunks.ts";
import { readStreamFrame, STREAM } from "../../support/streamframe.ts";

/** Reads strictly what the hub sends on one connection, whatever it turns out to be, and keeps almost nothing of it. */
export interface Answers {
  take(bytes: Uint8Array): void;
  /** The statuses of the answers whose head has come. */
  readonly statuses: readonly number[];
  /** The body of the last whole answer that had one. */
  lastBody(): string;
}

export interface AnswersOptions {
  /** Answers to HEAD have no body, whatever their length says: with one among the requests only the first head is read. */
  readonly onlyFirstHead: boolean;
  /** Something that the contract does not allow. Nothing more is read after it. */
  readonly onProblem: (problem: string) => void;
  readonly onText?: (text: string, isStream: boolean) => void;
  readonly onPing?: (frame: Frame) => void;
  readonly onEvent?: (block: EventBlock) => void;
}

type Reader = (bytes: Uint8Array) => void;

/** Beyond a missing body Bun's own refusals say only that the connection is over. */
const BUNS_OWN_REFUSALS = [400, 413, 431, 505];
/** What a server answers for a fault of the client's, or because it is busy: 503, 505, and 508 for a bridge to itself. */
const INTENDED_5XX = [503, 505, 508];
/** The close frame that owns up to an error of the hub's own (PROTOCOL.md, section 1). */
const FAULT = { code: 1011, reason: "a fault in the hub" };
const HELD_LIMIT_BYTES = 1_048_576;

export function createAnswers(options: AnswersOptions): Answers {
  const statuses: number[] = [];
  let lastBody = "";
  let held: Buffer = Buffer.alloc(0);
  let read: Reader = readHeads;

  function readHeads(bytes: Uint8Array): void {
    held = Buffer.concat([held, bytes]);
    while (held.length > 0) {
      const head = parseHead(held);
      if (head === undefined) {
        if (held.length > HELD_LIMIT_BYTES) throw new Error("a head without an end");
        if (!"HTTP/1.1 ".startsWith(held.toString("latin1", 0, 9)))
          throw new Error(`no HTTP: ${start(held)}`);
        return;
      }
      const { status, headers, size } = head;
      if (!/^HTTP\/1\.1 [1-5]\d\d /.test(held.toString("latin1", 0, 13)))
        throw new Error(`no status line: ${start(held)}`);
      if (status === 100) {
        held = held.subarray(size);
        continue;
      }
      statuses.push(status);
      if (status >= 500 && !INTENDED_5XX.includes(status))
        throw new Error(`an answer that says fault: ${start(held)}`);
      const next = continuation(status, headers);
      if (next !== undefined) {
        const rest = held.subarray(size);
        held = Buffer.alloc(0);
        read = next;
        next(rest);
        return;
      }
      const length = Number(headers.get("content-length") ?? 0);
      if (held.length < size + length) {
        statuses.pop();
        return;
      }
      lastBody = held.toString("utf8", size, size + length);
      checkBody(status, headers, lastBody);
      held = held.subarray(size + length);
    }
  }

  /** What reads the rest of the connection, if it is no longer one answer after the other. */
  function continuation(status: number, headers: Headers): Reader | undefined {
    if (status === 101) {
      if (!headers.has("sec-websocket-accept")) throw new Error("101 without Sec-WebSocket-Accept");
      return framesReader(headers.get("sec-websocket-protocol") === STREAM, options);
    }
    if (options.onlyFirstHead) return () => undefined;
    // To a client of HTTP/1.0 the events come without chunks, until the connection ends.
    const isEvents = status === 200 && headers.get("content-type") === "text/event-stream";
    if (isEvents || headers.has("transfer-encoding")) return eventsReader(headers, options);
    return undefined;
  }

  return {
    take(bytes) {
      try {
        read(bytes);
      } catch (error) {
        read = () => undefined;
        options.onProblem(error instanceof Error ? error.message : String(error));
      }
    },
    statuses,
    lastBody: () => lastBody,
  };
}

/** RFC 9457 for what is refused; JSON or Prometheus' text for the rest. */
function checkBody(status: number, headers: Headers, body: string): void {
  const type = headers.get("content-type") ?? "";
  if (status < 400) {
    if (type.startsWith("application/json")) JSON.parse(body);
    return;
  }
  if (body === "" && BUNS_OWN_REFUSALS.includes(status) && headers.get("connection") === "close") return;
  if (type !== "application/problem+json")
    throw new Error(`${status} as ${type || "nothing"}: ${body.slice(0, 300)}`);
  const problem: unknown = JSON.parse(body);
  const isProblem =
    typeof problem === "object" &&
    problem !== null &&
    Object.keys(problem).sort().join() === "detail,status,title,type" &&
    "status" in problem &&
    problem.status === status;
  if (!isProblem) throw new Error(`no problem of RFC 9457: ${body.slice(0, 300)}`);
}

/** RFC 6455 from the server's side: nothing masked, nothing reserved, text in UTF-8, a close code that the contract knows. */
function framesReader(isStream: boolean, { onText, onPing }: AnswersOptions): Reader {
  const parse = createFrameParser();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let isOver = false;
  return (bytes) => {
    for (const frame of parse(bytes)) {
      if (isOver) throw new Error(`a frame of opcode ${frame.opcode} behind the close frame`);
      if (frame.rsv !== 0 || !frame.fin) throw new Error(`a frame with rsv ${frame.rsv}, fin ${frame.fin}`);
      if (frame.opcode >= OPCODE.close && frame.payload.length > 125) throw new Error("a long control frame");
      if (frame.opcode === OPCODE.text) {
        const text = decoder.decode(frame.payload);
        if (isStream) readStreamFrame(text);
        else if (text !== "pong") JSON.parse(text);
        onText?.(text, isStream);
      } else if (frame.opcode === OPCODE.close) {
        isOver = true;
        const { code, reason } = readClose(frame);
        // A peer's own code and reason come back to it (section 5.5.1).
        if (!isSendable(code)) throw new Error(`closed with ${code}`);
        if (code === FAULT.code && reason === FAULT.reason) throw new Error("closed for a fault in the hub");
      } else if (frame.opcode === OPCODE.ping) {
        onPing?.(frame);
      } else if (frame.opcode !== OPCODE.pong) {
        throw new Error(`a frame of opcode ${frame.opcode}`);
      }
    }
  };
}

/** The only answers without a length are event streams. */
function eventsReader(headers: Headers, { onEvent }: AnswersOptions): Reader {
  if (headers.get("content-type") !== "text/event-stream") throw new Error("chunks that are no event stream");
  const parse = createEventParser();
  let isOver = false;
  const take = (text: string): void => {
    for (const block of parse(text)) {
      if (block.data !== undefined) JSON.parse(block.data);
      onEvent?.(block);
    }
  };
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const readBody =
    headers.get("transfer-encoding") === "chunked"
      ? createChunkedReader(take, () => {
          isOver = true;
        })
      : (bytes: Uint8Array) => take(decoder.decode(bytes, { stream: true }));
  return (bytes) => {
    if (isOver) return;
    try {
      readBody(bytes);
    } catch (error) {
      // Bun answers a bad request that was pipelined behind the endless one in the middle of the stream, and hangs up.
      if (!/"HTTP\/1\.1 [45]\d\d /.test(String(error))) throw error;
      isOver = true;
    }
  };
}

/** What a close frame may hold (RFC 6455, section 7.4); 1005 stands for nothing. */
function isSendable(code: number): boolean {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1006) || (code >= 3000 && code <= 4999);
}

function start(bytes: Buffer): string {
  return JSON.stringify(bytes.toString("latin1", 0, 300));
}
