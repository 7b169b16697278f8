import { DEVELOPMENT_SECRET } from "../config/checks.ts";
import { linesOf, readSettings } from "./settings.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** The worker secret as a command knows it. */
export interface Secret {
  readonly text: string;
  /** Nobody has set it: it is the one that a hub in development takes. */
  readonly isDefault: boolean;
}

export const SECRET_ENVIRONMENT = [
  ["WORKER_SECRET", "the hub's secret; there is no flag for it, because everyone can read a command line"],
  ["WORKER_SECRET_FILE", "file that holds it, in its place"],
  ["ENV", "production has no default secret; development has the one that Vectra's worker uses"],
] as const;

/** Reads the secret from the environment. @returns the exit code where there is none */
export function findSecret(terminal: Terminal): Secret | number {
  const given = givenSecret(terminal);
  if (given !== undefined) return given;
  const mode = readSettings(["ENV"], terminal.env);
  if (!mode.ok) return refuse(terminal.say, mode.problems);
  if (mode.settings.ENV !== "production") return { text: DEVELOPMENT_SECRET, isDefault: true };
  return refuse(terminal.say, [
    "WORKER_SECRET is not set, and ENV=production has no default: set it as the hub has it",
  ]);
}

/** The secret that somebody has set; undefined where nobody has. @returns the exit code where it cannot be read */
export function givenSecret({ env, readFile, say }: Terminal): Secret | number | undefined {
  const read = readSettings(["WORKER_SECRET", "WORKER_SECRET_FILE"], env);
  if (!read.ok) return refuse(say, read.problems);
  const { WORKER_SECRET: text, WORKER_SECRET_FILE: file } = read.settings;
  if (text !== undefined && file !== undefined)
    return refuse(say, ["WORKER_SECRET_FILE is set beside WORKER_SECRET: set only one of the two"]);
  if (text !== undefined) return { text, isDefault: false };
  if (file !== undefined) {
    try {
      const content = readFile(file).replace(/\r?\n$/, "");
      if (content === "") throw new Error("the file is empty");
      return { text: content, isDefault: false };
    } catch (error) {
      const why = `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
      const repair = "name a file that you may read and that holds the secret";
      return refuse(say, linesOf([{ key: "WORKER_SECRET_FILE", value: file, why, repair }]));
    }
  }
  return undefined;
}

function refuse(say: Terminal["say"], lines: readonly string[]): number {
  for (const line of lines) say(line);
  return EXIT.usage;
}

/** As a header: its characters are bytes, and a secret beyond ASCII goes out as UTF-8, like Python's clients send it. */
export function secretHeader({ text }: Secret): { readonly "x-worker-secret": string } {
  return { "x-worker-secret": Buffer.from(text).toString("latin1") };
}

/** What to say where the hub refuses it. */
export function refusedSecret({ isDefault }: Secret): string {
  return isDefault
    ? "refuses the development secret: set WORKER_SECRET as the hub has it"
    : "refuses the worker secret: WORKER_SECRET must be as the hub has it";
}
