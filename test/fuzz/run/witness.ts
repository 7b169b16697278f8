import { within } from "../../support/deadline.ts";
import { encodeFrame, OPCODE } from "../../support/frame.ts";
import { encodeRequest } from "../../support/http.ts";
import { handshake } from "../../support/rawsocket.ts";
import { readStreamFrame, STREAM } from "../../support/streamframe.ts";
import { connectTcp } from "../../support/tcp.ts";
import { createAnswers } from "./answers.ts";

export const WITNESS_KINDS = ["stream", "sse", "raw"] as const;
export type WitnessKind = (typeof WITNESS_KINDS)[number];

/** A client in good order that sees all of the stream, and checks all that it sees. */
export interface Witness extends AsyncDisposable {
  readonly kind: WitnessKind;
  /** The position after which its stream began; empty in raw framing. */
  readonly cursor: string;
  /** Resolves when the publisher's message of this number has come. */
  reached(sequence: number, limitMs: number): Promise<void>;
  /** The hash of the message at a position that came since the last `forget`; raw framing has none. */
  hashAt(id: string): bigint | number | undefined;
  /** The hash of everything seen so far, in order. */
  digest(): bigint | number;
  forget(): void;
}

export interface WitnessOptions {
  readonly url: string;
  /** How the publisher's messages begin; the sequence number follows, then a comma or brace. */
  readonly prefix: string;
  readonly onFault: (fault: string) => void;
}

const STATUS = /^\{"type":"WORKER_STATUS","status":"(?:online|offline)","metadata":/;

/** Connects and waits until live, so that everything published afterwards must come. */
export async function joinWitness(
  kind: WitnessKind,
  { url, prefix, onFault }: WitnessOptions,
): Promise<Witness> {
  const tcp = await connectTcp(url);
  const live = Promise.withResolvers<void>();
  const hashes = new Map<string, bigint | number>();
  let cursor = "";
  let last = "";
  let sequence = -1;
  let digest: bigint | number = 0;
  let waiting: { sequence: number; resolve: () => void } | undefined;
  let isLeaving = false;
  const fault = (text: string): void => onFault(`the ${kind} witness: ${text}`);

  const take = (id: string | undefined, text: string): void => {
    if (id !== undefined) {
      if (id !== successor(last)) fault(`${id} after ${last}`);
      last = id;
      hashes.set(id, Bun.hash(oneLine(text)));
    }
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      fault(`no message: ${text.slice(0, 300)}`);
      return;
    }
    const type: unknown = "type" in value ? value.type : undefined;
    if (
      type === "REGISTER_WORKER" ||
      (type === "WORKER_STATUS" && !(STATUS.test(text) && !text.includes('"forged"')))
    ) {
      fault(`a forged message: ${text.slice(0, 300)}`);
    }
    // What a raw client is told on joining is for it alone; raw digests are therefore not compared.
    digest = Bun.hash(`${id}${oneLine(text)}`, BigInt(digest));
    if (!text.startsWith(prefix)) return;
    const number = Number.parseInt(text.slice(prefix.length), 10);
    if (number !== sequence + 1) fault(`message ${number} of the publisher after ${sequence}`);
    sequence = number;
    if (waiting !== undefined && waiting.sequence <= sequence) waiting.resolve();
  };
  const begin = (from: string): void => {
    cursor = from;
    last = from;
  };

  const answers = createAnswers({
    onlyFirstHead: false,
    onProblem: (problem) => fault(problem),
    onText(text, isStream) {
      if (!isStream) {
        if (text !== "pong") take(undefined, text);
        live.resolve();
        return;
      }
      const frame = readStreamFrame(text);
      if (frame.type === "hello") begin(frame.cursor);
      else if (frame.type === "live") live.resolve();
      else if (frame.type === "message") take(frame.id, frame.data);
      else if (frame.type === "position" && frame.id !== last) fault(`position ${frame.id} after ${last}`);
    },
    onPing: ({ payload }) => tcp.write(encodeFrame({ opcode: OPCODE.pong, payload })),
    onEvent({ event, id, data }) {
      if (event === "hello") begin(id ?? "");
      else if (event === "live") live.resolve();
      else if (event === undefined && data !== undefined) take(id, data);
      else if (event === undefined && id !== undefined && id !== last) fault(`position ${id} after ${last}`);
    },
  });
  tcp.receive(answers.take);
  void tcp.closed.then(() => {
    if (isLeaving) return;
    fault(`its connection has ended (answers: ${answers.statuses.join(" ")})`);
    live.reject(new Error(`the ${kind} witness was not let in`));
  });
  const head =
    kind === "sse"
      ? { path: "/api/v1/events" }
      : handshake(`${url}/ws`, kind === "stream" ? { "sec-websocket-protocol": STREAM } : {});
  tcp.write(encodeRequest(new URL(url).host, head));
  await within(live.promise, `the ${kind} witness to be live`);

  return {
    kind,
    cursor,
    async reached(number, limitMs) {
      if (sequence >= number) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting = { sequence: number, resolve };
      await within(
        promise,
        `message ${number} of the publisher at the ${kind} witness, which has ${sequence}`,
        limitMs,
      );
    },
    hashAt: (id) => hashes.get(id),
    digest: () => digest,
    forget: () => hashes.clear(),
    async [Symbol.asyncDispose]() {
      isLeaving = true;
      tcp.reset();
      await tcp.closed;
    },
  };
}

/** The next position: cursors of one node end in a number that counts up. */
function successor(cursor: string): string {
  return cursor.replace(/\d+$/, (offset) => String(Number(offset) + 1));
}

/** Line ends in valid JSON are white space, and event streams carry a space in their place (PROTOCOL.md, section 0). */
export function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, " ");
}
