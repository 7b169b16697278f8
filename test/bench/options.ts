import { parseArgs } from "node:util";

export interface FanoutOptions {
  targets: string[];
  subscribers: number[];
  inFlight: number[];
  rounds: number;
  roundMs: number;
  warmUpMs: number;
  assert: boolean;
  out: string;
}

const DEFAULTS = {
  subscribers: "10,100,1000",
  inFlight: "1,20,500",
  rounds: "12",
  roundMs: "200",
  warmUpMs: "300",
};
const QUICK = { subscribers: "1000", inFlight: "1,20", rounds: "8", roundMs: "200", warmUpMs: "300" };

export const FANOUT_HELP = `Measures fan-out: the hub against a bare Bun.serve, in one run.

  bun test/bench/fanout.ts [options]

  --targets LIST      servers to measure, the first is the baseline        (floor,hub)
                      "floor,floor" shows how far the bench itself can be trusted
  --subscribers LIST  (${DEFAULTS.subscribers}; 10000 needs about as many open files)
  --in-flight LIST    messages under way at once                           (${DEFAULTS.inFlight})
  --rounds N          of which the median is taken, servers taking turns   (${DEFAULTS.rounds})
  --round-ms N        length of one round                                  (${DEFAULTS.roundMs})
  --quick             ${QUICK.subscribers} subscribers, ${QUICK.inFlight} in flight, ${QUICK.rounds} rounds of ${QUICK.roundMs} ms: under 20 s
  --assert            exit code 1 if anything reaches less than 0.9 of the baseline's
                      throughput at 1,000 subscribers or more; where the generator was
                      the bottleneck or the machine busy otherwise, CPU time decides
  --out DIR           for fanout.json and fanout.md                        (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;

/** The command line's options; undefined where help was asked for. Throws on what it does not understand. */
export function parseOptions(argv: readonly string[]): FanoutOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      targets: { type: "string", default: "floor,hub" },
      subscribers: { type: "string" },
      "in-flight": { type: "string" },
      rounds: { type: "string" },
      "round-ms": { type: "string" },
      quick: { type: "boolean", default: false },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const defaults = values.quick ? QUICK : DEFAULTS;
  return {
    targets: values.targets.split(","),
    subscribers: (values.subscribers ?? defaults.subscribers).split(",").map(positive),
    inFlight: (values["in-flight"] ?? defaults.inFlight).split(",").map(positive),
    rounds: positive(values.rounds ?? defaults.rounds),
    roundMs: positive(values["round-ms"] ?? defaults.roundMs),
    warmUpMs: positive(defaults.warmUpMs),
    assert: values.assert,
    out: values.out,
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`"${text}" is not a positive whole number`);
  return value;
}
