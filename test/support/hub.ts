import { resolve } from "node:path";
import { startCluster } from "./cluster.ts";
import { within } from "./deadline.ts";
import { createHubOutput, type HubOutput, readingsOf, wsUrlOf } from "./hub-output.ts";
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

/** Settings of every hub under test, e.g. the number of its threads: `HUB_ENV`, as a JSON object. */
const ENV_FOR_ALL: Readonly<Record<string, string>> = JSON.parse(process.env["HUB_ENV"] ?? "{}");

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
  /** What each node listens on itself; of a single hub, its `url` alone. */
  readonly nodes: readonly string[];
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
  const all = { PATH: process.env["PATH"], HOME: process.env["HOME"], ...defaults, ...ENV_FOR_ALL, ...env };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** So many hubs on one Redis take the place of each hub under test (cluster.ts); undefined where it is a single one. */
const CLUSTER: string | undefined = process.env["HUB_CLUSTER"];

/** Starts a hub on a free loopback port and waits until it listens. */
export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const isAlone = CLUSTER === undefined || options.command !== undefined;
  return isAlone ? await startOneHub(options) : await startCluster(Number(CLUSTER), options, startOneHub);
}

/** Starts one process on a free loopback port and waits until it listens. What it writes goes to `also`, too. */
async function startOneHub(options: HubOptions, also?: HubOutput): Promise<Hub> {
  const { wrapper = [], command = HUB_COMMAND, args = [] } = options;
  const child = Bun.spawn([...wrapper, ...command, ...args], {
    env: hubEnv(options.env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const output = createHubOutput();
  const { lines, watch } = output;
  const take = (line: string): void => {
    output.take(line);
    also?.take(line);
  };
  const takeStdout = (line: string): void => {
    output.takeStdout(line);
    also?.takeStdout(line);
  };
  const ended = Promise.all([readLines(child.stderr, take), readLines(child.stdout, takeStdout)]);
  void ended.then(output.end).then(also?.end);
  const dispose = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  try {
    const listening = (): string | undefined =>
      lines.find((line) => line.includes("Listening"))?.match(/http:\/\/(\[[^\]]+\]|[^\s":\]]+):\d+/)?.[0];
    const url = await watch("the line that says Listening", listening);
    return {
      url,
      wsUrl: wsUrlOf(url),
      nodes: [url],
      pid: child.pid,
      ...readingsOf(output),
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
