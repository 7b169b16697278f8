import { parseArgs } from "node:util";
import { formatConflation } from "../protocol/conflation.ts";
import { ANY_ORIGIN, SAME_ORIGIN } from "../protocol/origins.ts";
import { crossCheck, DEVELOPMENT_SECRET } from "./checks.ts";
import { type Config, configSchema, flagOf, notesOf, SETTING_NAMES, type SettingName } from "./schema.ts";
import { readTls } from "./tls.ts";

/** One thing wrong with the configuration, in a form that a person can act on. */
export interface Problem {
  /** The setting or flag, as it was written. */
  readonly key: string;
  /** The value, or a stand-in for a secret. */
  readonly value: string | undefined;
  readonly why: string;
  readonly repair: string;
}

export interface Sources {
  /** The arguments after the command. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a whole file as text; throws when that fails. */
  readonly readFile: (path: string) => string;
  /** Is standard error a terminal? */
  readonly isTerminal: boolean;
}

export type Loaded =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads the settings: a flag beats the environment, the environment beats the default; an empty value counts as none.
 * All problems are found in one go, so that nobody has to repair them one start at a time.
 */
export function loadConfig(sources: Sources): Loaded {
  const problems: Problem[] = [];
  const given: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const value = sources.env[name];
    if (value !== undefined && value !== "") given[name] = value;
  }
  Object.assign(given, readFlags(sources.args, problems));
  if (given.WORKER_SECRET_FILE !== undefined) readSecretFile(sources, given, problems);

  const parsed = configSchema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = issue.path[0] as SettingName;
      problems.push({
        key: name,
        value: shown(name, given[name]),
        why: issue.message,
        repair: `give ${notesOf(name).accepts.replaceAll("|", "or")}, or leave it out`,
      });
    }
  }
  if (!parsed.success || problems.length > 0) return { ok: false, problems: onePerKey(problems) };

  const contradictions = crossCheck(parsed.data);
  if (contradictions.length > 0) return { ok: false, problems: contradictions };

  const settings = parsed.data;
  const tls = readTls(sources, settings, problems);
  if (problems.length > 0) return { ok: false, problems };
  const warnings: string[] = [];
  const unprotected = settings.WORKER_SECRET === undefined;
  if (unprotected) {
    warnings.push(
      "WORKER_SECRET is not set: workers enter with Vectra's development default" +
        (settings.HOST === undefined ? ", and the hub listens on loopback only" : ""),
    );
  }
  return {
    ok: true,
    warnings,
    config: {
      ...settings,
      HOST: settings.HOST ?? (unprotected ? "127.0.0.1" : "::"),
      WORKER_SECRET: settings.WORKER_SECRET ?? DEVELOPMENT_SECRET,
      ALLOWED_ORIGINS: settings.ALLOWED_ORIGINS ?? [settings.ENV === "production" ? SAME_ORIGIN : ANY_ORIGIN],
      CONSOLE: settings.CONSOLE ?? settings.ENV !== "production",
      tls,
      LOG_FORMAT: settings.LOG_FORMAT ?? (sources.isTerminal ? "text" : "json"),
    },
  };
}

/** A value as it may be printed. */
export function shown(name: SettingName, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (notesOf(name).secret) return "[redacted]";
  // An address may carry a name and a password, or a token.
  if (name === "BRIDGE_URL")
    return String(value)
      .replace(/\/\/[^/@]*@/, "//[redacted]@")
      .replace(/\?.*$/, "?[redacted]");
  if (name === "CONFLATE")
    return typeof value === "string" ? value : formatConflation(value as Config["CONFLATE"]);
  return Array.isArray(value) ? value.join(",") : String(value);
}

function readFlags(args: readonly string[], problems: Problem[]): Partial<Record<SettingName, string>> {
  const names = new Map(SETTING_NAMES.map((name) => [name.toLowerCase().replaceAll("_", "-"), name]));
  const options = Object.fromEntries([...names.keys()].map((flag) => [flag, { type: "string" as const }]));
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given: Partial<Record<SettingName, string>> = {};
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      problems.push({
        key: token.value,
        value: undefined,
        why: "is no flag and no command",
        repair: "see vectra-hub --help",
      });
      continue;
    }
    const name = names.get(token.name);
    if (name === undefined) {
      problems.push({
        key: token.rawName,
        value: undefined,
        why: "is an unknown flag",
        repair: nearest(token.name, names),
      });
    } else if (flagOf(name) === undefined) {
      problems.push({
        key: token.rawName,
        value: "[redacted]",
        why: "would show a secret to everyone who can list processes",
        repair: `set ${name} in the environment${name === "WORKER_SECRET" ? ", or WORKER_SECRET_FILE" : ""}`,
      });
    } else if (token.value === undefined || token.value === "") {
      problems.push({
        key: token.rawName,
        value: undefined,
        why: "has no value",
        repair: `write ${token.rawName} VALUE`,
      });
    } else {
      given[name] = token.value;
    }
  }
  return given;
}

function nearest(flag: string, names: ReadonlyMap<string, SettingName>): string {
  const likely = [...names.keys()].find((name) => name.startsWith(flag) || flag.startsWith(name));
  return likely === undefined ? "see vectra-hub --help" : `did you mean --${likely}? See vectra-hub --help`;
}

function readSecretFile(
  sources: Sources,
  given: Partial<Record<SettingName, string>>,
  problems: Problem[],
): void {
  const file = given.WORKER_SECRET_FILE as string;
  if (given.WORKER_SECRET !== undefined) {
    problems.push({
      key: "WORKER_SECRET_FILE",
      value: file,
      why: "is set beside WORKER_SECRET",
      repair: "set only one of the two",
    });
    return;
  }
  try {
    // Editors and `echo` end a file with a line end that is no part of the secret.
    const content = sources.readFile(file).replace(/\r?\n$/, "");
    if (content === "") throw new Error("the file is empty");
    given.WORKER_SECRET = content;
  } catch (error) {
    problems.push({
      key: "WORKER_SECRET_FILE",
      value: file,
      why: `cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      repair: "name a file that the hub may read and that holds the secret",
    });
  }
}

function onePerKey(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.toReversed().map((problem) => [problem.key, problem])).values()].toReversed();
}
