import { expect } from "bun:test";
import { type Loaded, loadConfig, type Problem } from "../../src/config/load.ts";
import { problemLines } from "../../src/config/render.ts";
import type { Config } from "../../src/config/schema.ts";

/** Where settings come from in a test: nothing of the machine's own. */
export interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
}

export function load({ args = [], env = {}, files = {}, isTerminal = false }: Given): Loaded {
  const readFile = (path: string): string => {
    const content = files[path];
    if (content === undefined) throw new Error(`ENOENT: ${path}`);
    return content;
  };
  return loadConfig({ args, env, readFile, isTerminal });
}

/** Fails where there are problems. */
export function configOf(given: Given): Config {
  const loaded = load(given);
  if (!loaded.ok) throw new Error(problemLines(loaded.problems));
  return loaded.config;
}

/** Fails where there are none, and where one does not say what to do. */
export function problemsOf(given: Given): readonly Problem[] {
  const loaded = load(given);
  if (loaded.ok) throw new Error("there is no problem");
  for (const { key, why, repair } of loaded.problems) {
    for (const text of [key, why, repair]) expect(text).toMatch(/\S/);
  }
  return loaded.problems;
}
