import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../../support/deadline.ts";
import { hubEnv } from "../../support/hub.ts";
import { readLines } from "../../support/lines.ts";

/** The hub that is fuzzed. Its log is read as it comes, and only the end of it is kept: it runs for an hour. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** The newest lines of the log. */
  tail(): string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number>;
}

export interface TargetOptions {
  readonly command: readonly string[];
  readonly seed: number;
  /** An error in the log, or a line that is no log line. */
  readonly onFault: (fault: string) => void;
  /** The end of the process before it was asked to stop. */
  readonly onEnd: (fault: string) => void;
}

const TAIL_LINES = 40;

/** Bun, when it crashes, and a stack trace. What a peer sends stands in the log only as JSON, which these do not match. */
const CRASH = /uncaught|unhandled|panic|segmentation fault|internal error/i;

/**
 * The hub's settings. Small tables fill in a minute, so that what happens at their limits is met and memory settles; the
 * seed decides between the alternatives, so that a seed repeats a run as a whole.
 */
export function settingsOf(seed: number, folder: string): Record<string, string> {
  return {
    LOG_LEVEL: "debug",
    WORKER_POLICY: seed % 2 === 0 ? "replace" : "shared",
    HISTORY_MESSAGES: "2000",
    HISTORY_BYTES: "8388608",
    COMMAND_QUEUE: "100",
    COMMAND_TTL_MS: "5000",
    WRONG_SECRETS_PER_MINUTE: "0",
    HEARTBEAT_INTERVAL_MS: "2000",
    ...(Math.floor(seed / 2) % 2 === 0 ? {} : { HISTORY_FILE: join(folder, "history.sqlite") }),
  };
}

export async function startTarget({ command, seed, onFault, onEnd }: TargetOptions): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "vectra-fuzz-"));
  const child = Bun.spawn([...command], {
    env: hubEnv(settingsOf(seed, folder)),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines: string[] = [];
  const listening = Promise.withResolvers<string>();
  let isStopping = false;

  const take = (line: string): void => {
    lines.push(line.slice(0, 2_000));
    if (lines.length > TAIL_LINES) lines.shift();
    const fault = faultOf(line);
    if (fault !== undefined) onFault(fault);
    const url = /Listening.*?(http:\/\/[^\s":]+:\d+)/.exec(line)?.[1];
    if (url !== undefined) listening.resolve(url);
  };
  const ended = Promise.all([
    readLines(child.stderr, take),
    readLines(child.stdout, take),
    child.exited,
  ]).then(([, , code]) => {
    if (!isStopping) onEnd(`the hub has ended with ${code}`);
    listening.reject(new Error(`the hub has ended with ${code}:\n${lines.join("\n")}`));
    return code;
  });
  // Also when the fuzzer is interrupted.
  const kill = (): void => child.kill("SIGKILL");
  process.once("exit", kill);
  const dispose = async (): Promise<void> => {
    isStopping = true;
    process.off("exit", kill);
    child.kill("SIGKILL");
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const url = await within(listening.promise, "the line that says Listening");
    return {
      url,
      pid: child.pid,
      tail: () => lines.join("\n"),
      async stop() {
        isStopping = true;
        child.kill("SIGTERM");
        return await within(ended, "the end of the hub after SIGTERM");
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function faultOf(line: string): string | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return `a line that is no log line: ${line.slice(0, 500)}`;
  }
  if (typeof entry !== "object" || entry === null)
    return `a log line that is no object: ${line.slice(0, 500)}`;
  const { level, msg } = entry as { level?: unknown; msg?: unknown };
  if (level === "error" || CRASH.test(String(msg))) return `an error in the log: ${line.slice(0, 2_000)}`;
  return undefined;
}
