/** Runs every benchmark, one after the other, and puts what they found into one table for the README. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { note, type Report, renderFindings, runBenchmark } from "./finding.ts";

const HELP = `Runs every benchmark (about three minutes) and writes README-table.md.

  bun test/bench/all.ts [options]

  --assert   exit code 1 if any target is missed
  --out DIR  for the results of each and the table   (dist/bench)
`;

const BENCHMARKS: readonly (readonly [name: string, ...options: string[]])[] = [
  ["fanout", "--framing", "raw,stream", "--quick"],
  ["history"],
  ["sse"],
  ["resume"],
];

function renderTable(reports: readonly Report[]): string {
  const [first] = reports;
  const disturbances = reports.map(({ title, disturbance }) => `${title}: ${disturbance}`);
  return `Measured on ${first?.date}, on ${first?.machine}, over loopback, with 200-byte messages.
Repeat it with \`bun test/bench/all.ts\`.

${renderFindings(reports.flatMap(({ findings }) => findings))}

${disturbances.join(". ")}.
`;
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
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
  const reports: Report[] = [];
  for (const [name, ...options] of BENCHMARKS) {
    note(`--- ${name}`);
    const script = join(import.meta.dir, `${name}.ts`);
    const child = Bun.spawn([process.execPath, script, ...options, "--out", folder], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const code = await child.exited;
    if (code !== 0) throw new Error(`${name} ended with ${code}`);
    reports.push((await Bun.file(join(folder, `${name}.json`)).json()) as Report);
  }
  const path = join(folder, "README-table.md");
  const table = renderTable(reports);
  await Bun.write(path, table);
  process.stdout.write(`\n${table}`);
  note(`written: ${path}`);
  const missed = reports.flatMap(({ findings }) => findings).filter(({ met }) => !met);
  return values.assert && missed.length > 0 ? 1 : 0;
}

await runBenchmark(main);
