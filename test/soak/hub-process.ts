import { within } from "../support/deadline.ts";
import { HUB_COMMAND, type HubEnv, hubEnv } from "../support/hub.ts";
import { readLines } from "../support/lines.ts";
import { lastingPort } from "../support/port.ts";

/** A hub that may run for hours and be restarted at the same address. Of its log only what is wrong is kept. */
export interface HubProcess extends AsyncDisposable {
  readonly url: string;
  /** Of the life that is running, or was the last. */
  pid(): number;
  /** Starts it and resolves when it listens, with how long that took. */
  start(): Promise<number>;
  /** Ends it and resolves with its exit code (128 and more after a signal). */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number>;
}

/** A machine that is busy with other things may need so long to start or stop a process. */
const LIFE_CHANGE_LIMIT_MS = 60_000;
const ENDED_LINES = 20;

/** @param onFault told of an error in the log, and of an end that nobody asked for */
export function createHubProcess(env: HubEnv, onFault: (what: string) => void): HubProcess {
  const port = lastingPort();
  const url = `http://127.0.0.1:${port}`;
  let child: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;
  let pid = 0;

  async function start(): Promise<number> {
    const startedMs = performance.now();
    const listening = Promise.withResolvers<void>();
    const started = Bun.spawn([...HUB_COMMAND], {
      env: hubEnv({ ...env, PORT: String(port) }),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    child = started;
    pid = started.pid;
    const newest: string[] = [];
    const ended = readLines(started.stderr, (line) => {
      newest.push(line);
      if (newest.length > ENDED_LINES) newest.shift();
      if (line.includes(`"url":"${url}"`)) listening.resolve();
      // Only said when this process was held up so long that a MiB of log lines waited for it.
      const isLate = line.includes("log lines dropped");
      if (!isLate && isError(line)) onFault(`the hub logged: ${line.slice(0, 500)}`);
    });
    void Promise.all([started.exited, ended]).then(([exitCode]) => {
      if (child !== started) return;
      child = undefined;
      const why = `the hub ended by itself (${exitCode}):\n${newest.join("\n")}`;
      onFault(why);
      listening.reject(new Error(why));
    });
    await within(listening.promise, "a hub that listens", LIFE_CHANGE_LIMIT_MS);
    return performance.now() - startedMs;
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const ending = child;
    if (ending === undefined) return 0;
    child = undefined;
    ending.kill(signal);
    try {
      return await within(ending.exited, `exit after ${signal}`, LIFE_CHANGE_LIMIT_MS);
    } finally {
      ending.kill("SIGKILL");
    }
  }

  return {
    url,
    pid: () => pid,
    start,
    end,
    [Symbol.asyncDispose]: async () => void (await end("SIGKILL")),
  };
}

/** Warnings are what the load deserves. An error, or a line that is no entry of the log at all, is the hub's own fault. */
function isError(line: string): boolean {
  try {
    return !["debug", "info", "warning"].includes(String(JSON.parse(line).level).toLowerCase());
  } catch {
    return true;
  }
}
