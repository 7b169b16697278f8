import type { z } from "zod";
import { readArguments } from "./arguments.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** A flag of a command. Without a schema it is a switch. */
export interface Flag {
  readonly help: string;
  /** What the value is called in the help, e.g. `URL`. */
  readonly value?: string;
  /** Reads the value; its message says what a wrong one is not. */
  readonly schema?: z.ZodType<unknown, string>;
}

export type Flags = Readonly<Record<string, Flag>>;

/** What was given, by flag; what was not given is undefined. */
export type Given<F extends Flags> = {
  readonly [name in keyof F]: F[name] extends { readonly schema: infer Schema extends z.ZodType }
    ? z.output<Schema> | undefined
    : boolean;
};

interface Description {
  /** As it is typed, e.g. `worker send`. */
  readonly name: string;
  /** For the list of commands: one line. */
  readonly summary: string;
  /** What follows the name, e.g. `[MESSAGE ...] [--key PREFIX]`. */
  readonly synopsis: string;
  readonly details: string;
  /** What it reads of the environment. */
  readonly environment: readonly (readonly [name: string, meaning: string])[];
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
}

/** One command of the command line: what it does and all that its help says. */
export interface Command extends Description {
  /** `settings` stands for every setting of the hub. */
  readonly flags: Flags | "settings";
  /** @returns the exit code */
  readonly run: (args: readonly string[], terminal: Terminal) => number | Promise<number>;
}

interface Definition<F extends Flags> extends Description {
  readonly flags: F;
  /** The name of what may be given without a flag, and how much of it. */
  readonly positionals?: { readonly name: string; readonly max: number };
  /** For a mistake in the command line; 2 unless somebody has given 2 another meaning. */
  readonly usageExitCode?: number;
  readonly execute: (
    given: Given<F>,
    positionals: readonly string[],
    terminal: Terminal,
  ) => number | Promise<number>;
}

/** Makes a command that reads its own flags. */
export function defineCommand<const F extends Flags>(definition: Definition<F>): Command {
  const { name, flags, positionals, execute, usageExitCode = EXIT.usage } = definition;
  return {
    ...definition,
    async run(args, terminal) {
      const read = readArguments(name, flags, positionals, args);
      if (read.ok) return await execute(read.given as Given<F>, read.positionals, terminal);
      for (const line of read.problems) terminal.say(line);
      return usageExitCode;
    },
  };
}
