import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** A server that can be measured: its command, which takes HOST and PORT from its environment. */
export interface Target {
  name: string;
  command: readonly string[];
  /** Settings that differ from the defaults. */
  settings?: Readonly<Record<string, string>>;
}

export interface RunningServer {
  url: string;
  pid: number;
  /** The end of what it has logged, for when something goes wrong. */
  lastLog(): string;
  stop(): Promise<void>;
}

const ROOT = resolve(import.meta.dir, "../..");
const READY_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 5_000;
const KEPT_LOG_CHARACTERS = 2_000;

/** `HUB_COMMAND` (a JSON array), else the compiled binary where there is one, else the source. */
function hubCommand(): readonly string[] {
  const configured = process.env["HUB_COMMAND"];
  if (configured !== undefined && configured !== "") return JSON.parse(configured) as string[];
  const binary = join(ROOT, "dist/vectra-hub");
  return existsSync(binary) ? [binary] : [process.execPath, join(ROOT, "src/main.ts")];
}

/** The hub with settings of its own, such as a history on a file. */
export function hubTarget(name: string, settings: Readonly<Record<string, string>>): Target {
  return { name, command: hubCommand(), settings };
}

const COMMANDS: Readonly<Record<string, () => readonly string[]>> = {
  floor: () => [process.execPath, join(import.meta.dir, "floor.ts")],
  hub: hubCommand,
};

/** The targets by name, in order; a name given twice is measured twice, against itself. */
export function resolveTargets(names: readonly string[]): Target[] {
  return names.map((name, index) => {
    const command = COMMANDS[name]?.();
    if (command === undefined) {
      throw new Error(`unknown target "${name}": one of ${Object.keys(COMMANDS).join(", ")}`);
    }
    const earlier = names.slice(0, index).filter((other) => other === name).length;
    return { name: earlier === 0 ? name : `${name} (${earlier + 1})`, command };
  });
}

/** The target's command as one would type it in the project's folder. */
export function describeCommand({ command, settings = {} }: Target): string {
  const words = command.map((part) => (part === process.execPath ? "bun" : part));
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return [...assignments, ...words].map((word) => word.replace(`${ROOT}/`, "")).join(" ");
}

/** Starts the target on a free loopback port, with its defaults otherwise, and resolves once it listens. */
export async function startServer(target: Target, workerSecret: string): Promise<RunningServer> {
  const child = Bun.spawn([...target.command], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_FORMAT: "json",
      WORKER_SECRET: workerSecret,
      ...target.settings,
    },
  });

  // An interrupted bench leaves no server behind.
  const killAtExit = (): void => child.kill("SIGKILL");
  process.on("exit", killAtExit);

  async function stop(): Promise<void> {
    process.off("exit", killAtExit);
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    await child.exited;
    clearTimeout(force);
  }

  let lastLog = "";
  const listening = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => listening.reject(new Error(`${target.name} was not ready within ${READY_WITHIN_MS} ms`)),
    READY_WITHIN_MS,
  );
  // Read to its end: a pipe that fills up would stop the server.
  const logRead = readLines(child.stderr, (line) => {
    lastLog = `${lastLog}${line}\n`.slice(-KEPT_LOG_CHARACTERS);
    const url = listeningUrl(line);
    if (url !== undefined) listening.resolve(url);
  });
  logRead.then(
    () => listening.reject(new Error(`${target.name} ended before it listened:\n${lastLog}`)),
    listening.reject,
  );

  try {
    const url = await listening.promise;
    return { url, pid: child.pid, lastLog: () => lastLog, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
}

/** The address in the START line, which hub and floor log as JSON once they listen. */
function listeningUrl(line: string): string | undefined {
  if (!line.includes('"START"') || !line.includes('"url"')) return undefined;
  return (JSON.parse(line) as { url: string }).url;
}
