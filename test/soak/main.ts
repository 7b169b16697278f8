import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { HAS_PROC } from "../support/process.ts";
import { type CommandLine, HELP, parseCommandLine } from "./options.ts";

const BINARY = resolve(import.meta.dir, "../../dist/vectra-hub");

function readCommandLine(): CommandLine | undefined {
  try {
    return parseCommandLine(process.argv.slice(2));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): never {
  console.error(`soak: ${why}\n\n${HELP}`);
  process.exit(2);
}

async function main({ minutes, seed, crowd, out }: CommandLine): Promise<void> {
  if (!HAS_PROC) refuse("there is no /proc here");
  if (process.env["HUB_COMMAND"] === undefined) {
    if (!existsSync(BINARY))
      refuse("there is no dist/vectra-hub: run `make build`, or name another in HUB_COMMAND");
    process.env["HUB_COMMAND"] = JSON.stringify([BINARY]);
  }
  // The support modules read HUB_COMMAND when they are loaded.
  const { runSoak } = await import("./soak.ts");
  const { writeReport } = await import("./report.ts");
  console.log(`Soak for ${minutes} minutes, seed ${seed}`);
  let told = 0;
  const outcome = await runSoak({
    minutes,
    seed,
    crowd,
    onFault: (what) => console.error(`seed ${seed}: ${what}`),
    onSample({ atS, memoryMb, sockets, publishedPerS, deliveredPerS }) {
      if (atS / 60 < told) return;
      told += 1;
      console.log(
        `${(atS / 60).toFixed(1)} min: ${memoryMb.toFixed(0)} MB, ${sockets} sockets, ${publishedPerS}/s in, ${deliveredPerS}/s out`,
      );
    },
  });
  console.log(`\n${await writeReport(outcome, out)}\nChart, samples and this summary are in ${out}`);
  if (!outcome.passed) console.error(`\nFAILED with seed ${seed}`);
  process.exit(outcome.passed ? 0 : 1);
}

const commandLine = readCommandLine();
if (commandLine === undefined) console.log(HELP);
else
  await main(commandLine).catch((error) => {
    console.error(error);
    console.error(`\nFAILED with seed ${commandLine.seed}`);
    process.exit(1);
  });
