import { rm } from "node:fs/promises";
import { join } from "node:path";
import { RedisClient } from "bun";
import { within } from "./deadline.ts";
import { createFolder } from "./folder.ts";
import { readLines } from "./lines.ts";
import { lastingPort } from "./port.ts";
import { testThatNeeds } from "./skip.ts";

/** Debian's `redis-server`. */
const SERVER = Bun.which("redis-server");
export const HAS_REDIS = SERVER !== null;

/** `test`, where there is a Redis. */
export const testWithRedis = testThatNeeds("redis-server", HAS_REDIS);

export interface RedisOptions {
  /** Settings as redis-server takes them, e.g. `["--maxmemory", "1mb"]`. They beat those of every test. */
  readonly args?: readonly string[];
  /** Where its data lies; without it a folder of its own, which goes with it. */
  readonly dir?: string;
}

/** A redis-server of the test's own: it is killed, stopped and emptied at will, and ends with the test's process. */
export interface Redis extends AsyncDisposable {
  /** `redis://127.0.0.1:30123`, the same over all restarts. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** One command on a connection of its own. Fails when it is answered with an error, or not answered. */
  cli(command: string, ...args: readonly string[]): Promise<unknown>;
  /** Ends it, and waits until it is gone; `SIGKILL` without a signal. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after `kill`, and waits until it has its data and answers. */
  start(): Promise<void>;
  /** `kill` and `start`; without `keepData` it has forgotten everything. */
  restart(options: { readonly keepData: boolean; readonly signal?: NodeJS.Signals }): Promise<void>;
  /** SIGSTOP: its connections stay open, and nothing answers any more. */
  stop(): void;
  /** SIGCONT. */
  continue(): void;
}

const START_ATTEMPTS = 5;

/** Starts it on a free loopback port that is not the well-known one, with an append-only file, and waits for it. */
export async function startRedis({ args = [], dir }: RedisOptions = {}): Promise<Redis> {
  const folder = dir === undefined ? await createFolder() : undefined;
  const path = dir ?? folder?.path ?? "";
  let port = lastingPort();
  let child: Bun.Subprocess | undefined;

  const start = async (): Promise<void> => {
    child = await spawnRedis(port, path, args);
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    const ending = child;
    child = undefined;
    ending?.kill(signal);
    // A stopped process takes no signal but SIGKILL.
    ending?.kill("SIGCONT");
    await within(ending?.exited ?? Promise.resolve(0), `end of redis-server after ${signal}`);
  };
  const url = (): string => `redis://127.0.0.1:${port}`;

  for (let attempt = 1; child === undefined; attempt++) {
    try {
      await start();
    } catch (error) {
      // Another test may have taken the port since it was found free.
      if (attempt === START_ATTEMPTS || !String(error).includes("in use")) throw error;
      port = lastingPort();
    }
  }

  return {
    get url() {
      return url();
    },
    get port() {
      return port;
    },
    get pid() {
      if (child === undefined) throw new Error("redis-server is not running");
      return child.pid;
    },
    cli: (command, ...rest) => ask(url(), command, rest),
    kill,
    start,
    async restart({ keepData, signal }) {
      await kill(signal);
      if (!keepData) {
        for (const name of ["appendonlydir", "appendonly.aof", "dump.rdb"])
          await rm(join(path, name), { recursive: true, force: true });
      }
      await start();
    },
    stop: () => void child?.kill("SIGSTOP"),
    continue: () => void child?.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      await kill();
      await folder?.[Symbol.asyncDispose]();
    },
  };
}

/** Resolves when it says that it is ready, which it does when it has read its data. */
async function spawnRedis(port: number, dir: string, args: readonly string[]): Promise<Bun.Subprocess> {
  if (SERVER === null) throw new Error("there is no redis-server");
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--save", ""];
  // Under `everysec` Redis may acknowledge what a kill takes: while the disk is slow it holds its log back.
  const lasting = ["--appendonly", "yes", "--appendfsync", "always"];
  const child = Bun.spawn([...diesWithUs(), SERVER, ...settings, ...lasting, "--daemonize", "no", ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  const take = (line: string): void => {
    lines.push(line);
    if (line.includes("Ready to accept connections")) ready.resolve();
  };
  const ended = Promise.all([readLines(child.stdout, take), readLines(child.stderr, take)]);
  void ended.then(() => ready.reject(new Error(`redis-server has ended:\n${lines.join("\n")}`)));
  try {
    await within(ready.promise, "redis-server that answers");
    return child;
  } catch (error) {
    child.kill("SIGKILL");
    await child.exited;
    throw error;
  }
}

/** A test that is killed disposes of nothing: then the kernel ends the server, where util-linux can ask for that. */
function diesWithUs(): readonly string[] {
  const setpriv = process.platform === "linux" ? Bun.which("setpriv") : null;
  return setpriv === null ? [] : [setpriv, "--pdeathsig", "KILL"];
}

async function ask(url: string, command: string, args: readonly string[]): Promise<unknown> {
  const client = new RedisClient(url, { autoReconnect: false, enableOfflineQueue: false });
  const exchange = async (): Promise<unknown> => {
    await client.connect();
    return await client.send(command, [...args]);
  };
  try {
    return await within(exchange(), `answer of redis-server to ${command}`);
  } finally {
    client.close();
  }
}

let shared: Promise<Redis> | undefined;

/** One for all tests of this process that bring a prefix of their own. It ends with the process. */
export function sharedRedis(): Promise<Redis> {
  // Nobody restarts it, and an acknowledgement is to be worth as much as from a hub by itself, which does not sync either.
  if (shared === undefined) shared = startRedis({ args: ["--appendfsync", "no"] });
  return shared;
}
