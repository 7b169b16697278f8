import { availableParallelism } from "node:os";

/**
 * What touches the world: clocks, timers, randomness, the log sink. It is made once, by main, and passed down as an
 * argument, so that a test can put its own in its place.
 */
export interface Runtime {
  /** Wall clock in milliseconds since 1970: for time stamps and for anything that outlives the process. */
  nowMs(): number;
  /** A clock in milliseconds that never jumps: for time-outs and ages. */
  monotonicMs(): number;
  /** Calls `run` every `intervalMs` until the returned function is called. */
  every(intervalMs: number, run: () => void): Cancel;
  /** Calls `run` once after `delayMs`, unless the returned function is called first. */
  after(delayMs: number, run: () => void): Cancel;
  /** Calls `run` after the input that has already arrived has been handled. */
  soon(run: () => void): void;
  /** `byteCount` random bytes, as lower-case hex. */
  randomHex(byteCount: number): string;
  /** A number in [0, 1): for jitter only. */
  random(): number;
  fetch(url: string, init: BunFetchRequestInit): Promise<Response>;
  /** Takes one finished log line without its line end. */
  writeLog(line: string): void;
  /** Resolves when all log lines have left, or after `limitMs`. */
  flushLog(limitMs: number): Promise<void>;
  /** How many threads this machine runs at once. */
  coreCount(): number;
  /** Starts another thread of this program: src/thread.ts runs in it. */
  startThread(events: ThreadEvents): Thread;
}

/** Another thread of this program. */
export interface Thread {
  /** What is posted arrives in order. Nothing is taken back: whoever posts has to see to bounds. */
  post(message: unknown): void;
  /** Ends it wherever it stands; its sockets are closed. Nothing is heard of it any more. */
  terminate(): void;
}

export interface ThreadEvents {
  message(data: unknown): void;
  /** Called once, unless it was terminated. @param why for people */
  ended(why: string): void;
}

export type Cancel = () => void;

/** A stalled log reader must not grow the hub's memory without end: past this, lines are dropped and counted. */
const LOG_BUFFER_LIMIT_BYTES = 1_048_576;

/** The real world: system clocks, timers that do not keep the process alive, logs on standard error. */
export function systemRuntime(): Runtime {
  return {
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    every(intervalMs, run) {
      const timer = setInterval(run, intervalMs);
      return () => clearInterval(timer);
    },
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    soon: (run) => void setImmediate(run),
    randomHex: (byteCount) => crypto.getRandomValues(Buffer.alloc(byteCount)).toString("hex"),
    random: Math.random,
    fetch: (url, init) => fetch(url, init),
    coreCount: availableParallelism,
    startThread,
    ...standardErrorSink(),
  };
}

function startThread({ message, ended }: ThreadEvents): Thread {
  // Beside this file, in the source as well as in the binary, which has it as an entry point of its own.
  const worker = new Worker(new URL("./thread.ts", import.meta.url));
  let isOver = false;
  let why: string | undefined;
  worker.addEventListener("message", ({ data }) => {
    if (!isOver) message(data);
  });
  worker.addEventListener("error", (event) => {
    // Bun's message has the code around the place before it.
    why ??= /^\w*(?:error|exception)\b.*/im.exec(event.message)?.[0] ?? event.message;
  });
  worker.addEventListener("close", ({ code }) => {
    if (isOver) return;
    isOver = true;
    ended(why ?? `exit code ${code}`);
  });
  return {
    post: (posted) => worker.postMessage(posted),
    terminate() {
      isOver = true;
      worker.terminate();
    },
  };
}

function standardErrorSink(): Pick<Runtime, "writeLog" | "flushLog"> {
  let pendingBytes = 0;
  let droppedLines = 0;
  let onFlushed: (() => void) | undefined;
  // A closed pipe (`hub 2>&1 | head`) must not end the server.
  process.stderr.on("error", () => undefined);
  const write = (line: string): void => {
    pendingBytes += line.length + 1;
    process.stderr.write(`${line}\n`, () => {
      pendingBytes -= line.length + 1;
      if (pendingBytes > 0) return;
      if (droppedLines > 0) {
        const lost = droppedLines;
        droppedLines = 0;
        write(`... ${lost} log lines dropped: standard error was not read fast enough`);
      }
      onFlushed?.();
    });
  };
  return {
    writeLog(line) {
      if (pendingBytes > LOG_BUFFER_LIMIT_BYTES) droppedLines += 1;
      else write(line);
    },
    async flushLog(limitMs) {
      if (pendingBytes === 0) return;
      await new Promise<void>((resolve) => {
        onFlushed = resolve;
        setTimeout(resolve, limitMs);
      });
    },
  };
}
