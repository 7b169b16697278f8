import { parseArgs } from "node:util";
import type { Flags } from "./command.ts";

export type ReadArguments =
  | {
      readonly ok: true;
      readonly given: Readonly<Record<string, unknown>>;
      readonly positionals: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads what follows a command's name. All mistakes are found in one go; each is a line with its repair. */
export function readArguments(
  command: string,
  flags: Flags,
  allowed: { readonly name: string; readonly max: number } | undefined,
  args: readonly string[],
): ReadArguments {
  const help = `see vectra-hub ${command} --help`;
  const given: Record<string, unknown> = {};
  for (const [name, { schema }] of Object.entries(flags)) if (schema === undefined) given[name] = false;
  const positionals: string[] = [];
  const problems: string[] = [];
  let hasUnknown = false;
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { schema }]) => [
        name,
        { type: schema === undefined ? ("boolean" as const) : ("string" as const) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });

  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      positionals.push(token.value);
      continue;
    }
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    const { rawName, value } = token;
    if (flag === undefined) {
      hasUnknown = true;
      problems.push(`${rawName} is an unknown flag: ${help}`);
    } else if (flag.schema === undefined) {
      if (value === undefined) given[token.name] = true;
      else problems.push(`${rawName} takes no value: leave it out`);
    } else if (value === undefined || value === "") {
      problems.push(`${rawName} has no value: write ${rawName} ${flag.value}`);
    } else {
      const read = flag.schema.safeParse(value);
      if (read.success) given[token.name] = read.data;
      else problems.push(`${rawName}=${value} ${read.error.issues[0]?.message}: ${help}`);
    }
  }
  // What stands behind an unknown flag is most likely its value.
  if (allowed === undefined && positionals.length > 0 && !hasUnknown)
    problems.push(`${positionals[0]} is no flag, and the command takes nothing else: ${help}`);
  else if (allowed !== undefined && positionals.length > allowed.max)
    problems.push(
      `there are ${positionals.length} of ${allowed.name}, and only ${allowed.max} may be: ${help}`,
    );
  return problems.length === 0 ? { ok: true, given, positionals } : { ok: false, problems };
}
