import { parseArgs } from "node:util";

export interface CommandLine {
  readonly minutes: number;
  readonly seed: number;
  readonly crowd: number;
  readonly out: string;
}

const MINUTES_LIMIT = 1_440;
const CROWD_LIMIT = 1_500;
export const DEFAULT_CROWD = 240;

export const HELP = `Half an hour of everything at once: churn, bursts, slow and dead clients, worker flaps, restarts.

  --minutes N   how long the load lasts, 1 to ${MINUTES_LIMIT}; growth is judged from the tenth minute on,
                in a run below 30 minutes from the end of its first third     (30)
  --seed N      from which every choice of the load is drawn                  (a new one; it is printed)
  --crowd N     clients that come and go at once, 10 to ${CROWD_LIMIT}                  (${DEFAULT_CROWD})
  --out DIR     for the chart, the table and the summary                      (dist/soak)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub. Exit code 0: nothing grew and nothing was wrong; 1: it did
or was; 2: the command line makes no sense. Needs Linux's /proc.
`;

/** @returns undefined where help was asked for. @throws Error that says what makes no sense */
export function parseCommandLine(argv: readonly string[]): CommandLine | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string" },
      crowd: { type: "string", default: String(DEFAULT_CROWD) },
      out: { type: "string", default: "dist/soak" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    minutes: whole("--minutes", values.minutes, 1, MINUTES_LIMIT),
    seed: values.seed === undefined ? newSeed() : whole("--seed", values.seed, 0, 0xffff_ffff),
    crowd: whole("--crowd", values.crowd, 10, CROWD_LIMIT),
    out: values.out,
  };
}

export function newSeed(): number {
  return Math.floor(Math.random() * 1_000_000_000);
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new Error(`${name} is "${text}": it takes a whole number from ${least} to ${most}`);
  return value;
}
