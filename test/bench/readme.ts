/** Prints the README's measured part from what the last run has left in dist/bench, or puts it into the README. */
import { parseArgs } from "node:util";
import { README } from "../readme/document.ts";
import { note, runBenchmark } from "./finding.ts";
import { REPORT_NAMES, readReports, renderSection, withSection } from "./section.ts";

const HELP = `Prints the measured part of the README from dist/bench/*.json, which make bench has written.

  bun test/bench/readme.ts [options]

  --write    put it between the marks in README.md instead
  --from DIR where the results are   (dist/bench)
`;

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      write: { type: "boolean", default: false },
      from: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const section = renderSection(await readReports(values.from, REPORT_NAMES), "make bench");
  if (values.write) {
    await Bun.write(README, withSection(await Bun.file(README).text(), section));
    note("written: README.md");
  } else {
    process.stdout.write(section);
  }
  return 0;
}

await runBenchmark(main);
