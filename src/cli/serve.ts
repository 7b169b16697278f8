import { type App, start } from "../app.ts";
import { JournalError } from "../backplane/journal.ts";
import { RedisError } from "../backplane/redis/error.ts";
import type { Config } from "../config/schema.ts";
import { ListenError } from "../edge/listener.ts";
import { createLog } from "../observe/log.ts";
import type { Runtime } from "../runtime.ts";
import { COMMIT, VERSION } from "../version.ts";
import type { Command } from "./command.ts";
import { readConfig } from "./config.ts";
import { EXIT } from "./terminal.ts";

export const serveCommand: Command = {
  name: "serve",
  summary: "run the hub (the default)",
  synopsis: "[--FLAG VALUE ...]",
  details: `Runs until SIGTERM or Ctrl-C, which drain it as DRAIN_DELAY_MS and DRAIN_TIMEOUT_MS say; a second signal ends it at once.
The log goes to standard error.`,
  flags: "settings",
  environment: [],
  exitCodes: [
    [0, "stopped as asked"],
    [1, "it could not start, or was stopped by a second signal"],
    [2, "a mistake in the command line or the settings: a line for each says why, and what to do"],
  ],
  run(args, terminal) {
    const read = readConfig(args, terminal);
    if (read === undefined) return EXIT.usage;
    const { runtime, stopAsked } = terminal;
    return serve(read.config, read.warnings, runtime, stopAsked());
  },
};

/**
 * Runs the hub until it is told to stop.
 * @param stopped resolves with the name of the signal that ends it
 * @returns the exit code: 0 after a clean stop, 1 when it could not listen
 */
async function serve(
  config: Config,
  warnings: readonly string[],
  runtime: Runtime,
  stopped: Promise<string>,
): Promise<number> {
  const log = createLog({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    nowMs: runtime.nowMs,
    write: runtime.writeLog,
  });
  for (const warning of warnings) log.warning?.("SECURITY", "serve", warning);

  let app: App;
  try {
    app = await start(config, runtime, log);
  } catch (error) {
    if (![JournalError, RedisError, ListenError].some((expected) => error instanceof expected)) throw error;
    runtime.writeLog(`vectra-hub: ${(error as Error).message}`);
    return 1;
  }
  log.info?.("START", "serve", "Listening", {
    url: app.url,
    ops_url: app.opsUrl,
    version: VERSION,
    commit: COMMIT,
    env: config.ENV,
  });
  const signal = await stopped;
  log.info?.("FINISH", "serve", "Stopping", { signal });
  await app.stop();
  log.info?.("FINISH", "serve", "Stopped");
  return 0;
}
