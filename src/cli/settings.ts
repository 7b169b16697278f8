import type { z } from "zod";
import type { Problem } from "../config/load.ts";
import { problemLines } from "../config/render.ts";
import { configSchema, flagOf, notesOf, type SettingName, type Settings } from "../config/schema.ts";
import type { Flag } from "./command.ts";

export type SomeSettings<Name extends SettingName> =
  | { readonly ok: true; readonly settings: Pick<Settings, Name> }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Reads a few of the hub's settings. A command that is no hub must not fail because of one that it does not use.
 * @param flags beat the environment; an empty value counts as none
 */
export function readSettings<const Name extends SettingName>(
  names: readonly Name[],
  env: Readonly<Record<string, string | undefined>>,
  flags?: Readonly<Partial<Record<Name, string>>>,
): SomeSettings<Name> {
  const settings: Partial<Record<SettingName, unknown>> = {};
  const problems: Problem[] = [];
  for (const name of names) {
    const value = flags?.[name] ?? (env[name] || undefined);
    const read = configSchema.shape[name].safeParse(value);
    if (read.success) {
      settings[name] = read.data;
      continue;
    }
    problems.push({
      key: name,
      value: notesOf(name).secret ? "[redacted]" : value,
      why: read.error.issues[0]?.message ?? "is wrong",
      repair: `give ${notesOf(name).accepts.replaceAll("|", "or")}, or leave it out`,
    });
  }
  return problems.length === 0
    ? { ok: true, settings: settings as Pick<Settings, Name> }
    : { ok: false, problems: linesOf(problems) };
}

/** The lines that `serve` would print, without the name of the program. */
export function linesOf(problems: readonly Problem[]): string[] {
  return problems.map((problem) => problemLines([problem]).replace(/^vectra-hub: /, ""));
}

/** Settings as flags of a command that is no hub. Their values are checked by `readSettings`. */
export function settingFlags<const Name extends SettingName>(
  names: readonly Name[],
  schema: z.ZodType<string, string>,
): Readonly<Record<string, Flag & { readonly schema: z.ZodType<string, string> }>> {
  return Object.fromEntries(
    names.map((name) => [
      flagOf(name) ?? "",
      { help: `as it was given to the hub: ${notesOf(name).help}`, value: "VALUE", schema },
    ]),
  );
}

/** What was given by such flags, under the settings' own names. */
export function givenSettings<const Name extends SettingName>(
  names: readonly Name[],
  given: Readonly<Record<string, string | undefined>>,
): Partial<Record<Name, string>> {
  const entries = names.map((name) => [name, given[flagOf(name) ?? ""]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<
    Record<Name, string>
  >;
}
