import { resolve } from "node:path";
import { within } from "./deadline.ts";
import { readLines } from "./lines.ts";

/** Enough for production: long, and no well-known default. */
export const SECRET = "7f3a9c52e8d14b06a1f5c3e97b20d8461";

/** The hub under test: `HUB_COMMAND` (a JSON array), or the source. */
export const HUB_COMMAND: readonly string[] =
  process.env["HUB_COMMAND"] === undefined
    ? [process.execPath, resolve(import.meta.dir, "../../src/main.ts")]
    : JSON.parse(process.env["HUB_COMMAND"]);

/** Some promises (no `.env`, no preload) are the compiled binary's alone. */
export const IS_BINARY = !HUB_COMMAND.some((word) => word.endsWith(".ts"));

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly scope: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Settings; `undefined` takes away one of the defaults below. */
export type HubEnv = Readonly<Record<string, string | undefined>>;

export interface HubOptions {
  readonly env?: HubEnv;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Words before the hub's command, e.g. `unshare --pid --fork`. */
  readonly wrapper?: readonly string[];
  /** In place of `HUB_COMMAND`, e.g. the one that starts the container image. */
  readonly command?: readonly string[];
}

export interface Hub extends AsyncDisposable {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  /** A WebSocket URL; `query` without the question mark. */
  wsUrl(query?: string, path?: string): string;
  readonly pid: number;
  /** Everything written so far to standard error and standard output. */
  output(): string;
  /** What of that went to standard output. */
  stdout(): string;
  /** The log so far; fails on a line that is no JSON object. */
  logs(): LogLine[];
  /** The first `count` lines that fit, past or future. */
  waitForLogs(what: string, count: number, fits: (line: LogLine) => boolean): Promise<LogLine[]>;
  /** The first line, past or future, that fits. */
  waitForLog(what: string, fits: (line: LogLine) => boolean): Promise<LogLine>;
  /** The same for a line as it was written, in any format. */
  waitForLine(what: string, fits: (line: string) => boolean): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code; 128 and more when a signal ended it. */
  readonly exited: Promise<number>;
  /** Sends SIGTERM and waits for the exit code and the last of the output. */
  stop(): Promise<number>;
}

/** The variables that a hub under test gets: none of the machine's own but these two. */
export function hubEnv(env: HubEnv = {}): Record<string, string> {
  const defaults: HubEnv = {
    ENV: "development",
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_FORMAT: "json",
    WORKER_SECRET: SECRET,
  };
  const all = { PATH: process.env["PATH"], HOME: process.env["HOME"], ...defaults, ...env };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Starts a hub on a free loopback port and waits until it listens. */
export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const { wrapper = [], command = HUB_COMMAND, args = [] } = options;
  const child = Bun.spawn([...wrapper, ...command, ...args], {
    env: hubEnv(options.env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const lines: string[] = [];
  const stdout: string[] = [];
  const watchers = new Set<() => void>();
  const ended = Promise.all([readLines(child.stderr, take), readLines(child.stdout, takeStdout)]);
  function take(line: string): void {
    lines.push(line);
    for (const watcher of watchers) watcher();
  }

  function takeStdout(line: string): void {
    stdout.push(line);
    take(line);
  }

  /** The first result of `find` over the output, tried again at each new line. */
  async function watch<T>(what: string, find: () => T | undefined): Promise<T> {
    const { promise, resolve: found, reject } = Promise.withResolvers<T>();
    const look = (): void => {
      try {
        const result = find();
        if (result !== undefined) found(result);
      } catch (error) {
        reject(error);
      }
    };
    watchers.add(look);
    look();
    void ended.then(() => reject(new Error(`the hub has ended before ${what}:\n${lines.join("\n")}`)));
    try {
      return await within(promise, what);
    } finally {
      watchers.delete(look);
    }
  }

  const dispose = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  const logs = (): LogLine[] => lines.map((line) => JSON.parse(line));
  try {
    const listening = (): string | undefined =>
      lines.find((line) => line.includes("Listening"))?.match(/http:\/\/(\[[^\]]+\]|[^\s":\]]+):\d+/)?.[0];
    const url = await watch("the line that says Listening", listening);
    return {
      url,
      wsUrl: (query = "", path = "/ws") =>
        `${url.replace("http:", "ws:")}${path}${query === "" ? "" : `?${query}`}`,
      pid: child.pid,
      output: () => lines.join("\n"),
      stdout: () => stdout.join("\n"),
      logs,
      waitForLogs: (what, count, fits) =>
        watch(`${count} log lines: ${what}`, () => {
          const found = logs().filter(fits);
          return found.length >= count ? found.slice(0, count) : undefined;
        }),
      waitForLog: (what, fits) => watch(`log line: ${what}`, () => logs().find(fits)),
      waitForLine: (what, fits) => watch(`line: ${what}`, () => lines.find(fits)),
      kill: (signal) => child.kill(signal),
      exited: child.exited,
      async stop() {
        child.kill("SIGTERM");
        const exitCode = await within(child.exited, "exit after SIGTERM");
        await within(ended, "the rest of the output");
        return exitCode;
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command that ends by itself. Only the given settings are set, beside PATH and HOME. */
export async function runHub(args: readonly string[], env: HubEnv = {}, cwd?: string): Promise<Finished> {
  const none = {
    ENV: undefined,
    HOST: undefined,
    PORT: undefined,
    LOG_FORMAT: undefined,
    WORKER_SECRET: undefined,
  };
  const child = Bun.spawn([...HUB_COMMAND, ...args], {
    env: hubEnv({ ...none, ...env }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(cwd === undefined ? {} : { cwd }),
  });
  try {
    const output = Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    const [exitCode, stdout, stderr] = await within(output, `end of ${args.join(" ")}`);
    return { exitCode, stdout, stderr };
  } finally {
    child.kill("SIGKILL");
  }
}
