/** Runs the benchmarks, one after the other, and puts what they found into one page for the README. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { note, renderFindings, runBenchmark } from "./finding.ts";
import { readReports, renderSection } from "./section.ts";

interface Part {
  name: string;
  what: string;
  quick: readonly string[];
}

/** In the order in which they run and are shown. */
const PARTS: readonly Part[] = [
  { name: "footprint", what: "start-up time, sizes", quick: ["--rounds", "5", "--no-image"] },
  { name: "fanout", what: "throughput, against the floor and other servers", quick: ["--quick"] },
  {
    name: "latency",
    what: "percentiles at a fixed pace",
    quick: ["--rounds", "2", "--seconds", "2", "--shares", "50"],
  },
  {
    name: "connections",
    what: "connect storms, memory of idle connections",
    quick: ["--rounds", "1", "--settle", "1", "--targets", "floor,hub-full,ws,nchan"],
  },
  { name: "sse", what: "Server-Sent Events", quick: ["--rounds", "4"] },
  { name: "history", what: "what a history on a file costs", quick: ["--rounds", "4", "--round-ms", "500"] },
  { name: "resume", what: "resume storms", quick: ["--rounds", "1"] },
  { name: "threads", what: "several threads: CPU, balance, latency, memory", quick: ["--quick"] },
  { name: "redis", what: "several hubs on one Redis", quick: ["--quick"] },
];

const HELP = `Runs the benchmarks, interleaved rounds of all servers in each, and writes what they found to dist/bench: JSON, Markdown
and SVG of each, and README-section.md. Takes 20 to 30 minutes on two cores that nothing else uses.

  make bench ARGS="[options]"     or     bun test/bench/all.ts [options]

  --quick      a look in about three minutes: fewer rounds, sizes and servers
  --only LIST  only these, separated by commas (each runs alone, too: bun test/bench/<name>.ts --help)
${PARTS.map(({ name, what }) => `                 ${name.padEnd(12)} ${what}`).join("\n")}
  --assert     exit code 1 if any target is missed
  --out DIR    for the results   (dist/bench)
`;

function chosenParts(only: string | undefined): readonly Part[] {
  if (only === undefined) return PARTS;
  const names = only.split(",");
  const unknown = names.filter((name) => PARTS.every((part) => part.name !== name));
  if (unknown.length > 0) {
    throw new Error(
      `no such benchmark: ${unknown.join(", ")} (there are ${PARTS.map(({ name }) => name).join(", ")})`,
    );
  }
  return PARTS.filter(({ name }) => names.includes(name));
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = resolve(values.out);
  const parts = chosenParts(values.only);
  const failed: string[] = [];
  for (const { name, quick } of parts) {
    note(`--- ${name}`);
    const startMs = performance.now();
    const script = join(import.meta.dir, `${name}.ts`);
    const options = [...(values.quick ? quick : []), "--out", values.out];
    const child = Bun.spawn([process.execPath, script, ...options], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    // One that cannot be run does not take the others with it.
    if ((await child.exited) !== 0) failed.push(name);
    note(`--- ${name} took ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
  }
  const reports = await readReports(
    folder,
    parts.map(({ name }) => name).filter((name) => !failed.includes(name)),
  );
  const findings = reports.flatMap((report) => report.findings);
  process.stdout.write(`\n${renderFindings(findings)}\n`);
  if (parts.length === PARTS.length && failed.length === 0) {
    const path = join(folder, "README-section.md");
    await Bun.write(path, renderSection(reports, values.quick ? 'make bench ARGS="--quick"' : "make bench"));
    note(`written: ${path}`);
  }
  if (failed.length > 0) {
    note(`could not be run: ${failed.join(", ")}`);
    return 2;
  }
  return values.assert && findings.some(({ met }) => !met) ? 1 : 0;
}

await runBenchmark(main);
