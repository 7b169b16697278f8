import { within } from "./deadline.ts";
import { HUB_COMMAND, type HubEnv, hubEnv } from "./hub.ts";
import { readLines } from "./lines.ts";
import { lastingPort } from "./port.ts";

/** A hub that is killed again and again and comes back at the same address. */
export interface MortalHub extends AsyncDisposable {
  readonly url: string;
  /** Resolves as soon as it listens; while it is away, when it has come back. */
  up(): Promise<void>;
  /** Starts it and does not wait. */
  start(): void;
  /** `kill -9`, at whatever it is doing. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** For signals that do not end it. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Sends SIGTERM and waits for the exit code. */
  stop(): Promise<number>;
  /** Rejects when it ends without having been told to. */
  readonly diedByItself: Promise<never>;
}

/** How much of its output is kept for the report of an unexpected end. */
const OUTPUT_LIMIT_LINES = 50;

/** @param env settings beside those of every test hub */
export function createMortalHub(env: HubEnv): MortalHub {
  const port = lastingPort();
  const url = `http://127.0.0.1:${port}`;
  const died = Promise.withResolvers<never>();
  // Whoever waits for it gets the rejection; it must not count as unhandled before.
  died.promise.catch(() => undefined);
  let child: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;
  let listening = Promise.withResolvers<void>();
  let isListening = false;

  const start = (): void => {
    const started = Bun.spawn([...HUB_COMMAND], {
      env: hubEnv({ ...env, PORT: String(port) }),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    child = started;
    const lines: string[] = [];
    const ended = readLines(started.stderr, (line) => {
      lines.push(line);
      if (lines.length > OUTPUT_LIMIT_LINES) lines.shift();
      if (child !== started || !line.includes(`"url":"${url}"`)) return;
      isListening = true;
      listening.resolve();
    });
    void Promise.all([started.exited, ended]).then(([exitCode]) => {
      if (child === started)
        died.reject(new Error(`the hub ended by itself (${exitCode}):\n${lines.join("\n")}`));
    });
  };

  const end = async (signal: NodeJS.Signals): Promise<number> => {
    const ending = child;
    if (ending === undefined) return 0;
    child = undefined;
    // Those who wait for a hub that was killed before it listened go on waiting for the next one.
    if (isListening) listening = Promise.withResolvers<void>();
    isListening = false;
    ending.kill(signal);
    return await within(ending.exited, `exit after ${signal}`);
  };

  return {
    url,
    up: () => listening.promise,
    start,
    signal: (name) => void child?.kill(name),
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
    diedByItself: died.promise,
    [Symbol.asyncDispose]: async () => void (await end("SIGKILL")),
  };
}
