import type { SseClient, SseClients, SseSink } from "../hub/sse-client.ts";
import type { Log } from "../observe/log.ts";
import { readFilter } from "../protocol/filter.ts";
import type { Runtime } from "../runtime.ts";
import { type Guard, IDLE_TIMEOUT_S, type Peers } from "./guard.ts";
import { badRequest, problem } from "./problem.ts";
import { queryOf } from "./target.ts";

/** `GET /api/v1/events` (PROTOCOL.md, section 4; WHATWG HTML, section 9.2). */
export function createEventsRoute(sse: SseClients, runtime: Runtime, log: Log, guard: Guard) {
  return async (request: Request, server: Peers): Promise<Response> => {
    const query = queryOf(request);
    const filter = readFilter(query.get("types"));
    if (!filter.ok) return problem(badRequest("bad_types", filter.why));
    const since = request.headers.get("last-event-id") || query.get("since") || undefined;
    const admission = await guard.admit(request, server, guard.addressOf(request, server));
    if (!admission.ok) return problem(admission.problem);
    // Whoever left while forward-auth was asked never starts the stream that would give the place back.
    if (request.signal.aborted) {
      admission.leave();
      return new Response(null, { status: 499 });
    }
    const connId = runtime.randomHex(4);
    log.debug?.("START", "events", "Stream Opened", { conn_id: connId });
    // Without this Bun cuts a stream that is quiet for 10 seconds.
    server.timeout(request, 0);

    let client: SseClient | undefined;
    let finish: (() => void) | undefined;
    const closed = (): void => {
      client?.closed();
      admission.leave();
      finish?.();
      // The connection may stay open after the stream. Too late once the response has ended.
      server.timeout(request, IDLE_TIMEOUT_S);
      log.debug?.("FINISH", "events", "Stream Closed", { conn_id: connId });
    };
    const source: Bun.DirectUnderlyingSource<Uint8Array> = {
      type: "direct",
      async pull(controller) {
        const ended = new Promise<void>((resolve) => {
          finish = resolve;
        });
        client = sse.open(
          sinkOn(controller, runtime, () => client?.drained(), closed),
          connId,
          since,
          filter.types,
        );
        // The response lives as long as this promise.
        await ended;
      },
      cancel: closed,
    };
    return new Response(new ReadableStream(source), {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        // nginx would hold events back to fill its buffers.
        "x-accel-buffering": "no",
      },
    });
  };
}

/**
 * Counts what the peer has not taken. While it is backed up chunks wait here, where they are shared between all streams
 * that are sent the same, and not in a buffer for each stream.
 */
function sinkOn(
  direct: ReadableStreamDirectController,
  runtime: Runtime,
  onDrain: () => void,
  onEnd: () => void,
): SseSink {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let stalledSinceMs: number | undefined;
  let isOpen = true;

  const writeOut = (chunk: Uint8Array): void => {
    const written = direct.write(chunk);
    void direct.flush();
    if (typeof written === "number") return;
    stalledSinceMs ??= runtime.monotonicMs();
    void written.then(continueWriting, () => undefined);
  };
  const continueWriting = (): void => {
    if (!isOpen) return;
    stalledSinceMs = undefined;
    if (waiting.length > 0) {
      const chunk = Buffer.concat(waiting);
      waiting = [];
      waitingBytes = 0;
      writeOut(chunk);
    }
    if (stalledSinceMs === undefined) onDrain();
  };
  const close = (how: () => void): void => {
    if (!isOpen) return;
    isOpen = false;
    onEnd();
    how();
    waiting = [];
    waitingBytes = 0;
  };

  return {
    write(chunk) {
      if (!isOpen) return;
      if (stalledSinceMs === undefined) {
        writeOut(chunk);
      } else {
        waiting.push(chunk);
        waitingBytes += chunk.byteLength;
      }
    },
    bufferedBytes: () => waitingBytes,
    stalledMs: () => (stalledSinceMs === undefined ? 0 : runtime.monotonicMs() - stalledSinceMs),
    end() {
      close(() => {
        if (waitingBytes > 0) void direct.write(Buffer.concat(waiting));
        void direct.end();
      });
    },
    cut: () => close(() => direct.close(new Error("the stream's reader is too slow"))),
  };
}
