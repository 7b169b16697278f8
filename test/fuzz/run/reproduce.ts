import { caseOf } from "../case.ts";
import { EPISODE_CASES, type Failure, runSession } from "./session.ts";

/** Cases that suffice to see a fault again: from `from` to `to`, in order. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Cases that are tried alone, and how many before a case are tried with it. */
const SINGLES_LIMIT = 24;
const WINDOWS = [4, 16, 64, EPISODE_CASES] as const;

export interface RunOptions {
  readonly command: readonly string[];
  readonly seed: number;
  readonly settleMs: number;
}

/** Runs the cases of a window on a hub of their own. */
export async function runWindow(run: RunOptions, { from, to }: Window): Promise<Failure | undefined> {
  let number = from;
  const next = () => {
    if (number > to) return undefined;
    const mine = number++;
    return { name: String(mine), one: caseOf(run.seed, mine) };
  };
  return (await runSession({ ...run, next })).failure;
}

/**
 * Looks for the fewest cases with which a failure can be seen again: a suspect alone, else the cases up to the newest.
 * @returns undefined where only the whole run may show it: it depends on chance, or on much that went before
 */
export async function reproduce(run: RunOptions, failure: Failure): Promise<Window | undefined> {
  const suspects = failure.suspects.map(Number);
  for (const number of suspects.slice(0, SINGLES_LIMIT)) {
    const alone = { from: number, to: number };
    if ((await runWindow(run, alone)) !== undefined) return alone;
  }
  if (suspects.length === 0) return undefined;
  const to = Math.max(...suspects);
  for (const length of WINDOWS) {
    const window = { from: Math.max(0, to - length + 1), to };
    if ((await runWindow(run, window)) !== undefined) return window;
  }
  return undefined;
}
