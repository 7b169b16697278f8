import { parseArgs } from "node:util";
import { FRAMINGS, type Framing } from "./generator/receiver.ts";

/** What a closed-loop benchmark measures, and how long. */
export interface LoadOptions {
  targets: string[];
  framings: Framing[];
  subscribers: number[];
  inFlight: number[];
  rounds: number;
  roundMs: number;
  warmUpMs: number;
  /** After so long a cell begins no further round, if it has a few. */
  cellSeconds: number;
  assert: boolean;
  out: string;
}

/** What a benchmark does unless its command line says otherwise. */
export interface LoadDefaults {
  targets: string;
  framing: string;
  subscribers: string;
  inFlight: string;
  rounds: string;
  roundMs: string;
  cellSeconds?: string;
}

const WARM_UP_MS = 300;
const CELL_SECONDS = "40";
const QUICK = { subscribers: "1000", inFlight: "1,20", rounds: "3" };

/** The help lines that all closed-loop benchmarks share. */
export function loadHelp(defaults: LoadDefaults): string {
  return `  --subscribers LIST  (${defaults.subscribers}; 10000 needs about as many open files)
  --in-flight LIST    messages under way at once                           (${defaults.inFlight})
  --rounds N          of which the median is taken, servers taking turns   (${defaults.rounds})
  --round-ms N        length of one round                                  (${defaults.roundMs})
  --cell-seconds N    after which no further round begins                  (${defaults.cellSeconds ?? CELL_SECONDS})
  --assert            exit code 1 if a target is missed
  --out DIR           for the results as JSON and Markdown                 (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;
}

/** The command line's options; undefined where help was asked for. Throws on what it does not understand. */
export function parseLoadOptions(argv: readonly string[], defaults: LoadDefaults): LoadOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      targets: { type: "string", default: defaults.targets },
      framing: { type: "string", default: defaults.framing },
      subscribers: { type: "string" },
      "in-flight": { type: "string" },
      rounds: { type: "string" },
      "round-ms": { type: "string", default: defaults.roundMs },
      "cell-seconds": { type: "string", default: defaults.cellSeconds ?? CELL_SECONDS },
      quick: { type: "boolean", default: false },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const lengths = values.quick ? QUICK : defaults;
  return {
    targets: values.targets.split(","),
    framings: values.framing.split(",").map(framing),
    subscribers: (values.subscribers ?? lengths.subscribers).split(",").map(positive),
    inFlight: (values["in-flight"] ?? lengths.inFlight).split(",").map(positive),
    rounds: positive(values.rounds ?? lengths.rounds),
    roundMs: positive(values["round-ms"]),
    warmUpMs: WARM_UP_MS,
    cellSeconds: positive(values["cell-seconds"]),
    assert: values.assert,
    out: values.out,
  };
}

/** A positive whole number of a command line. */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`"${text}" is not a positive whole number`);
  return value;
}

function framing(name: string): Framing {
  const found = FRAMINGS.find((each) => each === name);
  if (found === undefined) throw new Error(`unknown framing "${name}": one of ${FRAMINGS.join(", ")}`);
  return found;
}
