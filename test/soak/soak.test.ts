import { expect, setDefaultTimeout, test } from "bun:test";
import { resolve } from "node:path";
import { HAS_PROC } from "../support/process.ts";
import { DEFAULT_CROWD, newSeed } from "./options.ts";
import { writeReport } from "./report.ts";
import { runSoak } from "./soak.ts";

/** The soak as CI runs it; `make soak` is the long one. */
const MINUTES = 3;
// Starting, settling and judging come on top, and a machine may be slow.
setDefaultTimeout(15 * 60_000);

test.skipIf(!HAS_PROC)(
  "three minutes of everything at once leave nothing behind and lose nothing",
  async () => {
    const given = Number(process.env["SOAK_SEED"]);
    const seed = Number.isSafeInteger(given) && given > 0 ? given : newSeed();
    try {
      const outcome = await runSoak({ minutes: MINUTES, seed, crowd: DEFAULT_CROWD });
      const summary = await writeReport(outcome, resolve(import.meta.dir, "../../dist/soak"));
      if (!outcome.passed) console.error(summary);
      expect(outcome.faults).toEqual([]);
      expect(outcome.findings.filter(({ isGrowth }) => isGrowth)).toEqual([]);
      expect(outcome.passed).toBe(true);
    } catch (error) {
      console.error(`again: make soak ARGS="--minutes ${MINUTES} --seed ${seed}"`);
      throw error;
    }
  },
);
