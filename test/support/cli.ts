import { checkAnswer } from "./contract-answer.ts";
import { within } from "./deadline.ts";
import { HUB_COMMAND, type HubEnv, hubEnv, SECRET } from "./hub.ts";
import { readLines } from "./lines.ts";

/** A command of the hub's command line at work. */
export interface Cli extends AsyncDisposable {
  readonly pid: number;
  /** The lines on standard output so far, and on standard error. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** The first line of standard output, past or future, that fits; fails when the command has ended without one. */
  line(what: string, fits: (line: string) => boolean): Promise<string>;
  /** Resolves once there are so many lines on standard output. */
  lines(count: number): Promise<readonly string[]>;
  /** The same as `line` for standard error. */
  message(what: string, fits: (line: string) => boolean): Promise<string>;
  write(text: string | Uint8Array): void;
  endInput(): void;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, once all output has been read; 128 and more when a signal ended it. */
  readonly exited: Promise<number>;
}

export interface CliOptions {
  readonly env?: HubEnv;
  /** Words in front of the command, e.g. a shell that puts it into a pipe. */
  readonly wrapper?: readonly string[];
}

/** The settings of `hubEnv` that a client has no use for. */
const NOT_FOR_CLIENTS: HubEnv = {
  ENV: undefined,
  HOST: undefined,
  PORT: undefined,
  LOG_FORMAT: undefined,
};

/** Starts a command. It knows the secret of the hubs under test, and nothing else. */
export function startCli(args: readonly string[], { env = {}, wrapper = [] }: CliOptions = {}): Cli {
  const child = Bun.spawn([...wrapper, ...HUB_COMMAND, ...args], {
    env: hubEnv({ ...NOT_FOR_CLIENTS, ...env }),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    // A group of its own, so that what a wrapper has started ends with it.
    detached: true,
  });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const watchers = new Set<() => void>();
  const into = (lines: string[]) => (line: string) => {
    lines.push(line);
    for (const watcher of [...watchers]) watcher();
  };
  const ended = Promise.all([readLines(child.stdout, into(stdout)), readLines(child.stderr, into(stderr))]);

  async function watch<T>(what: string, find: () => T | undefined): Promise<T> {
    const { promise, resolve: found, reject } = Promise.withResolvers<T>();
    const look = (): void => {
      const result = find();
      if (result !== undefined) found(result);
    };
    watchers.add(look);
    look();
    void ended.then(() =>
      reject(new Error(`${args.join(" ")} has ended before ${what}:\n${stderr.join("\n")}`)),
    );
    try {
      return await within(promise, `${args.join(" ")}: ${what}`);
    } finally {
      watchers.delete(look);
    }
  }

  return {
    pid: child.pid,
    stdout,
    stderr,
    line: (what, fits) => watch(what, () => stdout.find(fits)),
    lines: (count) =>
      watch(`${count} lines`, () => (stdout.length >= count ? stdout.slice(0, count) : undefined)),
    message: (what, fits) => watch(what, () => stderr.find(fits)),
    write(text) {
      for (const done of [child.stdin.write(text), child.stdin.flush()]) forgive(done);
    },
    endInput: () => forgive(child.stdin.end()),
    kill: (signal) => child.kill(signal),
    exited: ended.then(() => child.exited),
    async [Symbol.asyncDispose]() {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // All of them have ended already.
      }
      await child.exited;
    },
  };
}

/** A command may end before it has read everything. */
function forgive(done: unknown): void {
  if (done instanceof Promise) void done.catch(() => undefined);
}

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, with this on standard input. */
export async function runCli(
  args: readonly string[],
  { input = "", ...options }: CliOptions & { readonly input?: string | Uint8Array } = {},
): Promise<CliResult> {
  await using cli = startCli(args, options);
  if (input.length > 0) cli.write(input);
  cli.endInput();
  const exitCode = await within(cli.exited, `end of ${args.join(" ")}`);
  return { exitCode, stdout: cli.stdout.join("\n"), stderr: cli.stderr.join("\n") };
}

/** A hub whose address `startHub` does not know how to read: over TLS or on a unix socket. */
export async function serveBy(env: HubEnv): Promise<Cli> {
  const hub = startCli(["serve"], {
    env: { ENV: "development", HOST: "127.0.0.1", PORT: "0", LOG_FORMAT: "json", ...env },
  });
  try {
    await hub.message("Listening", (line) => line.includes('"Listening"'));
    return hub;
  } catch (error) {
    await hub[Symbol.asyncDispose]();
    throw error;
  }
}

/** The URL that such a hub says it listens on. */
export function urlOf(hub: Cli): string {
  return JSON.parse(hub.stderr.find((line) => line.includes('"Listening"')) ?? "{}").url;
}

/** Checks that a command failed with one line on standard error, and returns it. */
export function onlyLine({ exitCode, stdout, stderr }: CliResult, expectedExitCode: number): string {
  const lines = stderr.split("\n");
  if (
    exitCode !== expectedExitCode ||
    stdout !== "" ||
    lines.length !== 1 ||
    !stderr.startsWith("vectra-hub: ")
  ) {
    throw new Error(`not one line and exit code ${expectedExitCode}, but ${exitCode}:\n${stdout}\n${stderr}`);
  }
  return stderr;
}

/** Publishes lines at an address, for hubs that are no `Hub`. @returns their cursors */
export async function publishAt(url: string, lines: readonly string[]): Promise<readonly string[]> {
  const response = await fetch(`${url}/api/v1/publish`, {
    method: "POST",
    headers: { "x-worker-secret": SECRET, "content-type": "application/x-ndjson" },
    body: lines.map((line) => `${line}\n`).join(""),
    keepalive: false,
  });
  const body = await response.text();
  const { status, headers } = response;
  checkAnswer({ method: "POST", path: "/api/v1/publish" }, { status, headers, body });
  if (response.status !== 202) throw new Error(`publish: ${response.status} ${body}`);
  return JSON.parse(body).ids;
}
