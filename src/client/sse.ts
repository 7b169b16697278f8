import { createSseParser, type SseBlock } from "./sse-parser.ts";
import type { Ended, Session, Sink } from "./transport.ts";

/** What the client needs of `fetch`. */
export type FetchLike = (url: string, init: FetchInit) => Promise<ResponseLike>;

interface FetchInit {
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
  readonly cache: "no-store";
  readonly credentials: "same-origin" | "include" | "omit";
  readonly redirect: "error";
}

interface ResponseLike {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): ChunkReader } | null;
}

interface ChunkReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

export interface SseRequest {
  readonly fetch: FetchLike;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: FetchInit["credentials"];
}

/** Answers that no waiting turns into another. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 401, 403]);

/**
 * Opens the stream over HTTP (PROTOCOL.md, section 4), with `fetch` rather than `EventSource`, which neither sends headers nor
 * tells the status of a refusal, and which comes back by rules of its own.
 */
export function openSse({ fetch, url, headers, credentials }: SseRequest, sink: Sink): Session {
  const abort = new AbortController();
  let isPaused = false;
  let goOn = (): void => undefined;

  const run = async (): Promise<Ended> => {
    const response = await fetch(url, {
      headers: { ...headers, accept: "text/event-stream" },
      signal: abort.signal,
      cache: "no-store",
      credentials,
      redirect: "error",
    });
    const type = response.headers.get("content-type") ?? "";
    if (response.status !== 200 || !type.startsWith("text/event-stream") || response.body === null)
      return refusal(response);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parse = createSseParser();
    while (true) {
      const { done, value } = await reader.read();
      if (done || value === undefined) return over("the stream has ended", undefined);
      for (const block of parse(decoder.decode(value, { stream: true }))) {
        if (abort.signal.aborted) break;
        const frame = frameOf(block);
        if (frame === undefined) sink.heard();
        else sink.frame(frame);
      }
      sink.heard();
      // Whoever does not read lets the connection's buffers fill, and the hub waits.
      if (isPaused)
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
    }
  };
  const finish = (ended: Ended): void => {
    if (abort.signal.aborted) return;
    abort.abort();
    sink.ended(ended);
  };
  run().then(finish, (error: unknown) =>
    finish(over(error instanceof Error ? error.message : String(error), error)),
  );

  return {
    transport: "sse",
    send: () => false,
    unsentBytes: () => 0,
    pause() {
      isPaused = true;
      return true;
    },
    resume() {
      isPaused = false;
      goOn();
    },
    end() {
      abort.abort();
      goOn();
    },
  };
}

function over(reason: string, cause: unknown): Ended {
  return { code: 0, reason, isFinal: false, retryAfterMs: undefined, cause };
}

function refusal({ status, headers }: ResponseLike): Ended {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return {
    code: status,
    reason: status === 200 ? "the answer is no event stream" : `the hub answers ${status}`,
    isFinal: FINAL_STATUSES.has(status),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : undefined,
    cause: undefined,
  };
}

/** @returns the event as a frame of stream framing; undefined for what is no news */
function frameOf({ event, id, data }: SseBlock): string | undefined {
  if (event !== "message") return data;
  if (id === undefined) return undefined;
  const quoted = JSON.stringify(id);
  return data === undefined
    ? `{"type":"position","id":${quoted}}`
    : `{"type":"message","id":${quoted},"data":${data}}`;
}
