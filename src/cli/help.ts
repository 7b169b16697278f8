import { settingsHelp } from "../config/render.ts";
import { VERSION } from "../version.ts";
import type { Command } from "./command.ts";

/** The answer to `--help` without a command. */
export function overview(commands: readonly Command[]): string {
  const rows = [
    ...commands.map(({ name, summary }) => [name, summary] as const),
    ["help", "print this page, or that of a command (also --help)"] as const,
  ];
  return `vectra-hub ${VERSION}: a WebSocket hub between one worker and many dashboards

Usage: vectra-hub [COMMAND] [--FLAG VALUE ...]

Commands:
${columns(rows)}

Each has a page of its own: vectra-hub COMMAND --help

Settings of serve, as flags or from the environment (a flag wins):
${settingsHelp()}

Exit codes: 0 done, or stopped as asked; 1 it did not work out; 2 a mistake in the command line or the settings;
130 and 143 ended by Ctrl-C or SIGTERM before it was done.
`;
}

/** The answer to `COMMAND --help`. */
export function pageOf({ name, summary, synopsis, details, flags, environment, exitCodes }: Command): string {
  const parts = [
    `Usage: vectra-hub ${`${name} ${synopsis}`.trimEnd()}`,
    `${capital(summary)}.\n\n${details}`,
    flags === "settings"
      ? `Settings, as flags or from the environment (a flag wins):\n${settingsHelp()}`
      : `Flags:\n${columns([...flagRows(flags), ["--help", "print this page"]])}`,
    environment.length === 0 ? undefined : `Environment:\n${columns(environment)}`,
    `Exit codes:\n${columns(exitCodes.map(([code, meaning]) => [String(code), meaning]))}`,
  ];
  return `${parts.filter((part) => part !== undefined).join("\n\n")}\n`;
}

function flagRows(flags: Exclude<Command["flags"], "settings">): (readonly [string, string])[] {
  return Object.entries(flags).map(([name, { value, help }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  ]);
}

/** What is longer than this stands on a line of its own. */
const COLUMN_LIMIT_CHARS = 34;

function columns(rows: readonly (readonly [string, string])[]): string {
  const fitting = rows.map(([what]) => what.length).filter((length) => length <= COLUMN_LIMIT_CHARS);
  const width = Math.max(0, ...fitting);
  return rows
    .map(([what, meaning]) =>
      what.length > width
        ? `  ${what}\n  ${"".padEnd(width)}  ${meaning}`
        : `  ${what.padEnd(width)}  ${meaning}`,
    )
    .join("\n");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
