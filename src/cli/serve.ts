import { type App, start } from "../app.ts";
import { JournalError } from "../backplane/journal.ts";
import type { Config } from "../config/schema.ts";
import { createLog } from "../observe/log.ts";
import type { Runtime } from "../runtime.ts";
import { COMMIT, VERSION } from "../version.ts";

/**
 * Runs the hub until it is told to stop.
 * @param stopped resolves with the name of the signal that ends it
 * @returns the exit code: 0 after a clean stop, 1 when it could not listen
 */
export async function serve(
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
    runtime.writeLog(
      `vectra-hub: ${error instanceof JournalError ? error.message : listenFailure(config, error)}`,
    );
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

function listenFailure(config: Config, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const where = config.UNIX_SOCKET ?? `${config.HOST} port ${config.PORT}`;
  if (code === "EADDRINUSE") return `${where} is in use: stop the other process, or listen elsewhere`;
  if (code === "EACCES") return `${where} may not be opened by this user: set PORT to one above 1023`;
  return `cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}; set HOST to an address of this machine`;
}
