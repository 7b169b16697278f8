import { type Problem, shown } from "./load.ts";
import { type Config, flagOf, notesOf, SETTING_NAMES, type SettingName } from "./schema.ts";

/** The settings as an aligned table, for `--help`. */
export function settingsHelp(): string {
  return columns([
    ["FLAG", "ENVIRONMENT", "DEFAULT", "MEANING"],
    ...SETTING_NAMES.map((name) => [dashed(flagOf(name)), name, defaultOf(name), meaningOf(name)]),
  ]);
}

/** The settings as a Markdown table, for the README. */
export function settingsMarkdown(): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  return [
    "| setting | flag | values | default | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...SETTING_NAMES.map((name) => {
      const flag = flagOf(name);
      const fields = [
        `\`${name}\``,
        flag === undefined ? "none: it would show in the process list" : `\`--${flag}\``,
        notesOf(name).accepts,
        defaultOf(name),
        meaningOf(name),
      ];
      return `| ${fields.map(cell).join(" | ")} |`;
    }),
  ].join("\n");
}

/** The effective values, one `NAME=value` a line, secrets redacted: the output of `vectra-hub config`. */
export function effectiveSettings(config: Config): string {
  return SETTING_NAMES.map((name) => `${name}=${shown(name, config[name]) ?? ""}`).join("\n");
}

/** One line for each problem: key, value, why, repair. */
export function problemLines(problems: readonly Problem[]): string {
  return problems
    .map(({ key, value, why, repair }) => {
      const at = value === undefined ? printable(key) : `${printable(key)}=${printable(value)}`;
      return `vectra-hub: ${at} ${printable(why)}: ${repair}`;
    })
    .join("\n");
}

/** A value goes to a terminal: control characters and line ends in it are shown, not obeyed. */
function printable(value: string): string {
  return value.replace(/\p{Cc}/gu, (char) => {
    const escaped = JSON.stringify(char).slice(1, -1);
    // JSON leaves DEL and the C1 controls as they are; to a terminal they are commands.
    return escaped === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : escaped;
  });
}

function dashed(flag: string | undefined): string {
  return flag === undefined ? "" : `--${flag}`;
}

function defaultOf(name: SettingName): string {
  return notesOf(name).defaultNote;
}

function meaningOf(name: SettingName): string {
  const { help, unit } = notesOf(name);
  return unit === undefined ? help : `${help} (${unit})`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())
    .join("\n");
}
