import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DEADLINE_MS } from "../support/deadline.ts";

/** What the command line asks for. */
export interface FuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly command: readonly string[];
  /** How long is waited at an episode's end for what must become true. */
  readonly settleMs: number;
  /** Only these cases. */
  readonly window: { readonly from: number; readonly to: number } | undefined;
  /** Print the cases of the window, in the form of the corpus, in place of running them. */
  readonly show: boolean;
  /** Run the corpus, and nothing else. */
  readonly corpus: boolean;
}

const SECONDS = 3_600;
const SEED_LIMIT = 2 ** 32;
const BINARY = "dist/vectra-hub";

export const HELP = `Usage: bun test/fuzz/main.ts [options]

Sends a hub of its own whatever may break it, and checks that nothing does. Ends with 1 when something did, and then
prints the command that shows it again.

  --seed N       repeat the run of this seed                             (a new one)
  --seconds N    how long to run                                         (${SECONDS})
  --hub JSON     command that starts the hub, as a JSON array of words   (HUB_COMMAND, else ${BINARY})
  --settle-ms N  how long to wait, every 200 cases, for messages that are under way, for the
                 end of connections and for memory                       (${DEADLINE_MS})
  --case K       run only case K of the seed, and with --from K0 all from K0 to K
  --show         print those cases in place of running them
  --corpus       run the kept cases of test/fuzz/corpus, and no others
  --help

The same seed gives the same cases, one after the other; how the hub and its clients interleave is left to the machine.
`;

/**
 * Reads the command line.
 * @returns undefined where help was asked for
 * @throws Error that says what is wrong with it
 */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FuzzOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: "string" },
      seconds: { type: "string" },
      hub: { type: "string" },
      case: { type: "string" },
      "settle-ms": { type: "string" },
      from: { type: "string" },
      show: { type: "boolean", default: false },
      corpus: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const to = values.case === undefined ? undefined : whole("--case", values.case, SEED_LIMIT);
  const from = values.from === undefined ? to : whole("--from", values.from, SEED_LIMIT);
  if (values.from !== undefined && to === undefined)
    throw new Error("--from needs --case: from there to which case?");
  if (from !== undefined && to !== undefined && from > to)
    throw new Error(`--from ${from} is behind --case ${to}`);
  if (to !== undefined && values.seed === undefined) throw new Error("--case needs --seed: which run's?");
  if (values.show && to === undefined) throw new Error("--show needs --case: which one?");
  if (values.corpus && to !== undefined) throw new Error("--corpus and --case exclude each other");
  if (values.seconds !== undefined && (to !== undefined || values.corpus)) {
    throw new Error("--seconds is for whole runs, without --case and --corpus");
  }
  const seconds = values.seconds === undefined ? SECONDS : whole("--seconds", values.seconds, 86_400);
  if (seconds === 0) throw new Error("--seconds must be at least 1");
  return {
    seed: values.seed === undefined ? newSeed() : whole("--seed", values.seed, SEED_LIMIT - 1),
    seconds,
    command: hubCommand(values.hub, env["HUB_COMMAND"]),
    window: from === undefined || to === undefined ? undefined : { from, to },
    settleMs: whole("--settle-ms", values["settle-ms"] ?? String(DEADLINE_MS), 600_000),
    show: values.show,
    corpus: values.corpus,
  };
}

/** A seed that no run had before, short enough to be typed. */
export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}

function whole(flag: string, text: string, limit: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > limit)
    throw new Error(`${flag} ${text}: must be a whole number from 0 to ${limit}`);
  return value;
}

function hubCommand(flag: string | undefined, variable: string | undefined): readonly string[] {
  const given = flag ?? variable;
  if (given !== undefined) {
    const name = flag === undefined ? "HUB_COMMAND" : "--hub";
    let words: unknown;
    try {
      words = JSON.parse(given);
    } catch {
      throw new Error(`${name} is not JSON: write it like '["dist/vectra-hub"]'`);
    }
    if (!Array.isArray(words) || words.length === 0 || !words.every((word) => typeof word === "string")) {
      throw new Error(`${name} must be a JSON array of words, like '["dist/vectra-hub"]'`);
    }
    return words;
  }
  const binary = join(import.meta.dir, "../..", BINARY);
  if (!existsSync(binary))
    throw new Error(`there is no ${BINARY}: make build, or name another hub with --hub`);
  return [binary];
}
