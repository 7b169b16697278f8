import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lastingPort } from "../support/port.ts";
import { ROOT, type Target } from "./target.ts";

export interface RunningServer {
  url: string;
  pid: number;
  /** On the clock of `performance.now()`: just before its process was made. */
  spawnedAtMs: number;
  /** The end of what it has logged, for when something goes wrong. */
  lastLog(): string;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 5_000;
const KEPT_LOG_CHARACTERS = 2_000;
/** Between two attempts to connect to a server that does not say when it listens. */
const ATTEMPT_EVERY_MS = 2;

/** A secret of this run only; 48 characters, so that a hub in production mode accepts it too. */
export function createSecret(): string {
  return crypto.getRandomValues(Buffer.alloc(24)).toString("hex");
}

/** Starts the target on a free loopback port, with its defaults otherwise, and resolves once it listens. */
export async function startServer(target: Target, workerSecret: string): Promise<RunningServer> {
  // Below dist and not in /tmp, which may be no real disk: a history's file has to be on one.
  const parent = join(ROOT, "dist/bench");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "server-"));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  const fill = (text: string): string => text.replaceAll("{folder}", folder);
  let configuredUrl: string | undefined;
  if (target.configuration !== undefined) {
    const port = lastingPort();
    writeFileSync(join(folder, "server.conf"), fill(target.configuration).replaceAll("{port}", String(port)));
    configuredUrl = `http://127.0.0.1:${port}/`;
  }
  const settings = Object.entries(target.settings ?? {}).map(([name, value]) => [name, fill(value)]);
  const spawnedAtMs = performance.now();
  const child = Bun.spawn(target.command.map(fill), {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_FORMAT: "json",
      WORKER_SECRET: workerSecret,
      ...Object.fromEntries(settings),
    },
  });

  // An interrupted bench leaves no server behind.
  const killAtExit = (): void => {
    child.kill("SIGKILL");
    removeFolder();
  };
  process.on("exit", killAtExit);

  async function stop(): Promise<void> {
    process.off("exit", killAtExit);
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    await child.exited;
    clearTimeout(force);
    removeFolder();
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
  let isWaiting = true;
  if (configuredUrl !== undefined) {
    void untilAccepts(configuredUrl, () => isWaiting).then(listening.resolve, listening.reject);
  }

  try {
    const url = await listening.promise;
    return { url, pid: child.pid, spawnedAtMs, lastLog: () => lastLog, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    isWaiting = false;
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

/** The address in the START line, which hub, floor and Node's servers log as JSON once they listen. */
function listeningUrl(line: string): string | undefined {
  if (!line.includes('"START"') || !line.includes('"url"')) return undefined;
  return (JSON.parse(line) as { url: string }).url;
}

/** Connects again and again, while it makes sense to, until it succeeds. */
async function untilAccepts(url: string, isWorthwhile: () => boolean): Promise<string> {
  const { hostname, port } = new URL(url);
  while (isWorthwhile()) {
    try {
      const socket = await Bun.connect({ hostname, port: Number(port), socket: { data: () => undefined } });
      socket.end();
      break;
    } catch {
      await Bun.sleep(ATTEMPT_EVERY_MS);
    }
  }
  return url;
}
