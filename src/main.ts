import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { COMMANDS } from "./cli/commands.ts";
import { dispatch } from "./cli/dispatch.ts";
import { createOutput } from "./cli/output.ts";
import { printable } from "./cli/terminal.ts";
import { systemRuntime } from "./runtime.ts";

/** Standard error may be a pipe that is read slowly: the last lines get this long to leave. */
const LOG_FLUSH_LIMIT_MS = 500;

/** Ends the process where a stop was asked for and already is under way. */
const EXIT_SECOND_SIGNAL = 1;

/**
 * Handles SIGINT and SIGTERM from the start: a process that runs as PID 1 ignores both unless it does (oven-sh/bun#38843).
 * @returns what resolves with the first of them; a command that never calls it is ended at once
 */
function handleSignals(): () => Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let isAwaited = false;
  let signals = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      signals += 1;
      if (!isAwaited) process.exit(128 + constants.signals[signal]);
      if (signals > 1) process.exit(EXIT_SECOND_SIGNAL);
      resolve(signal);
    });
  }
  return () => {
    isAwaited = true;
    return promise;
  };
}

const runtime = systemRuntime();

// The only place that reads argv, the environment and standard input, or ends the process.
process.exitCode = await dispatch(COMMANDS, process.argv.slice(2), {
  env: process.env,
  readFile: (path) => readFileSync(path, "utf8"),
  stdin: { isTerminal: process.stdin.isTTY === true, chunks: () => Bun.stdin.stream() },
  stdout: createOutput(process.stdout, process.stdout.isTTY === true, runtime),
  say: (line) => runtime.writeLog(`vectra-hub: ${printable(line)}`),
  isStderrTerminal: process.stderr.isTTY === true,
  stopAsked: handleSignals(),
  runtime,
});
await runtime.flushLog(LOG_FLUSH_LIMIT_MS);
process.exit();
