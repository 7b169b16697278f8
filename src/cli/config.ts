import { loadConfig, type Problem } from "../config/load.ts";
import { effectiveSettings } from "../config/render.ts";
import type { Config } from "../config/schema.ts";
import type { Command } from "./command.ts";
import { linesOf } from "./settings.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** Reads all settings of the hub. @returns undefined where they are wrong, which has been said */
export function readConfig(
  args: readonly string[],
  { env, readFile, isStderrTerminal, say }: Terminal,
): { readonly config: Config; readonly warnings: readonly string[] } | undefined {
  const loaded = loadConfig({ args, env, readFile, isTerminal: isStderrTerminal });
  if (loaded.ok) return loaded;
  sayAll(loaded.problems, say);
  return undefined;
}

function sayAll(problems: readonly Problem[], say: Terminal["say"]): void {
  for (const line of linesOf(problems)) say(line);
}

export const configCommand: Command = {
  name: "config",
  summary: "print the effective settings, secrets redacted",
  synopsis: "[--FLAG VALUE ...]",
  details: "Reads the settings exactly as the hub would, and prints them, one NAME=value a line.",
  flags: "settings",
  environment: [],
  exitCodes: [
    [0, "the settings are well"],
    [2, "they are not: a line for each problem says why, and what to do"],
  ],
  run(args, terminal) {
    const read = readConfig(args, terminal);
    if (read === undefined) return EXIT.usage;
    terminal.stdout.write(`${effectiveSettings(read.config)}\n`);
    return EXIT.done;
  },
};
