import { setImmediate } from "node:timers/promises";
import { createFrameParser, encodeFrame, type Frame } from "../../../support/frame.ts";
import { parseHead } from "../../../support/http.ts";
import { createQueue } from "../../../support/queue.ts";
import { connectTcp } from "../../../support/tcp.ts";
import type { Case, Deviation, Outcome } from "./case.ts";
import { eventsOf, unlessEnded } from "./outcome.ts";

/** The RFC's own sample (1.3): the key and the answer that it must get. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const HEADERS: Readonly<Record<string, string>> = {
  host: "Host: hub",
  upgrade: "Upgrade: websocket",
  connection: "Connection: Upgrade",
  key: `Sec-WebSocket-Key: ${KEY}`,
  version: "Sec-WebSocket-Version: 13",
};

/** A handshake with some of its lines replaced: by another, by several, by none. `extra` lines come last. */
export function request(
  changes: Readonly<Record<string, string | readonly string[]>> = {},
  line = "GET /ws HTTP/1.1",
): string {
  const { extra = [], ...replaced } = changes;
  const lines = Object.entries(HEADERS).flatMap(([name, header]) => replaced[name] ?? header);
  return [line, ...lines, ...[extra].flat(), "", ""].join("\r\n");
}

export interface HandshakeSpec {
  readonly title: string;
  readonly request: string;
  /** Sent behind the request without waiting for its answer. */
  readonly pipelined?: Uint8Array;
  /** Where the request ends a segment, beside its end; or a segment for each byte. */
  readonly pacing?: "bytes" | number;
  /** The answer's status; behind 101 what it has chosen, and what the open connection says (see Outcome). */
  readonly expected: Outcome;
  readonly accept?: string;
  readonly deviation?: Deviation;
}

/** A case that sends a request and looks at its answer, and at the connection when there is one. */
export function handshake({ accept = ACCEPT, ...spec }: HandshakeSpec): Case {
  return {
    title: spec.title,
    expected: spec.expected,
    ...(spec.deviation === undefined ? {} : { deviation: spec.deviation }),
    async observe(stage, awaited) {
      const tcp = await connectTcp(stage.hub.url);
      try {
        const answer = createQueue<NonNullable<ReturnType<typeof parseHead>>>();
        const frames = createQueue<Frame>();
        const parse = createFrameParser();
        let held: Uint8Array = new Uint8Array();
        const takeFrames = (chunk: Uint8Array): void => {
          for (const frame of parse(chunk)) frames.push(frame);
        };
        tcp.receive((chunk) => {
          held = Buffer.concat([held, chunk]);
          const head = parseHead(held);
          if (head === undefined) return;
          answer.push(head);
          tcp.receive(takeFrames);
          if (head.status === 101) takeFrames(held.subarray(head.size));
        });
        void tcp.closed.then(() => {
          answer.end("the connection has ended");
          frames.end("the connection has ended");
        });
        const bytes = Buffer.concat([
          Buffer.from(spec.request, "latin1"),
          spec.pipelined ?? new Uint8Array(),
        ]);
        for (const segment of segments(bytes, spec.pacing)) {
          tcp.write(segment);
          await setImmediate();
        }
        const head = await unlessEnded(answer.next("answer"));
        if (head === undefined) return ["end"];
        if (head.status !== 101) return refusal(head.status, head.headers);
        const socket = {
          frame: (frame: Parameters<typeof encodeFrame>[0]) => tcp.write(encodeFrame(frame)),
          next: () => frames.next("frame"),
        };
        return [...acceptance(head.headers, accept), ...(await eventsOf(socket, awaited.includes("end")))];
      } finally {
        tcp.reset();
        await tcp.closed;
      }
    },
  };
}

function segments(bytes: Uint8Array, pacing: "bytes" | number | undefined): Uint8Array[] {
  if (pacing === undefined) return [bytes];
  if (pacing === "bytes") return [...bytes].map((byte) => Uint8Array.of(byte));
  return [bytes.subarray(0, pacing), bytes.subarray(pacing)];
}

/** 4.2.2: what the answer must hold, and nothing that was not asked for. */
function acceptance(headers: Headers, accept: string): string[] {
  const right =
    headers.get("upgrade")?.toLowerCase() === "websocket" &&
    headers.get("connection")?.toLowerCase() === "upgrade" &&
    headers.get("sec-websocket-accept") === accept;
  const chosen = ["protocol", "extensions", "version"].flatMap((name) => {
    const value = headers.get(`sec-websocket-${name}`);
    return value === null ? [] : [`${name} ${value}`];
  });
  const injected = headers.has("x-injected") ? ["x-injected"] : [];
  return [right ? "101" : `101 with ${JSON.stringify([...headers])}`, ...chosen, ...injected];
}

function refusal(status: number, headers: Headers): string[] {
  const version = headers.get("sec-websocket-version");
  return [
    String(status),
    ...(version === null ? [] : [`version ${version}`]),
    ...(headers.has("x-injected") ? ["x-injected"] : []),
  ];
}
