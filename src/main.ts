import { readFileSync } from "node:fs";
import { help } from "./cli/help.ts";
import { serve } from "./cli/serve.ts";
import { loadConfig } from "./config/load.ts";
import { effectiveSettings, problemLines } from "./config/render.ts";
import { systemRuntime } from "./runtime.ts";
import { COMMIT, VERSION } from "./version.ts";

/** Standard error may be a pipe that is read slowly: the last lines get this long to leave. */
const LOG_FLUSH_LIMIT_MS = 500;

const EXIT_USAGE = 2;

/** Turns arguments into a command. The only place that reads argv and the environment, or ends the process. */
async function main(argv: readonly string[]): Promise<number> {
  const named = argv[0] !== undefined && !argv[0].startsWith("-");
  const command = named ? argv[0] : "serve";
  const args = named ? argv.slice(1) : argv;

  if (command === "help" || args.includes("--help") || args.includes("-h")) {
    await print(help());
    return 0;
  }
  if (command === "version" || args.includes("--version") || args.includes("-v")) {
    await print(`vectra-hub ${VERSION} (${COMMIT})\n`);
    return 0;
  }
  if (command !== "serve" && command !== "config") {
    process.stderr.write(`vectra-hub: ${JSON.stringify(command)} is no command: see vectra-hub --help\n`);
    return EXIT_USAGE;
  }
  const loaded = loadConfig({
    args,
    env: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
    isTerminal: process.stderr.isTTY === true,
  });
  if (!loaded.ok) {
    process.stderr.write(`${problemLines(loaded.problems)}\n`);
    return EXIT_USAGE;
  }
  if (command === "config") {
    await print(`${effectiveSettings(loaded.config)}\n`);
    return 0;
  }
  const stopped = firstSignal();
  const runtime = systemRuntime();
  const exitCode = await serve(loaded.config, loaded.warnings, runtime, stopped);
  await runtime.flushLog(LOG_FLUSH_LIMIT_MS);
  return exitCode;
}

/**
 * Resolves with the first signal that asks for an end; the second one ends the process at once. A process that runs as
 * PID 1 ignores both unless it handles them (oven-sh/bun#38843).
 */
function firstSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let signals = 0;
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      signals += 1;
      if (signals > 1) process.exit(1);
      resolve(signal);
    });
  }
  return promise;
}

/** Resolves when the text has left: an exit right after a write would cut it off in a pipe. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

process.exitCode = await main(process.argv.slice(2));
process.exit();
