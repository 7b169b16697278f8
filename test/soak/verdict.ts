/** A figure over time: seconds since the start, and the value. */
export type Point = readonly [atS: number, value: number];

export interface Judgement {
  /** What the figure was in the first and in the last quarter of the time that is judged. */
  readonly first: number;
  readonly last: number;
  /** What the steady part of its growth comes to over that time: robust slope × length. */
  readonly trend: number;
  /** How much it may grow. */
  readonly allowance: number;
  readonly isGrowth: boolean;
}

export interface Allowance {
  /** A share of the first quarter's value, or this much, whichever is more. */
  readonly share: number;
  readonly least: number;
  /** Which value stands for a quarter, of its values in order: 0.5 is the median, and the default. */
  readonly rank?: number;
}

/** Below this many points in each quarter nothing can be said. */
const POINTS_PER_QUARTER = 2;

/**
 * Does a figure grow? Only if both say so: its last quarter stands higher than the first by more than it may, and the
 * trend over all (Theil and Sen: the median of the slopes between any two points) comes to more than that too. A
 * disturbance of the machine, a spike or a late step raises the one or the other, a leak raises both.
 * @param baseS only what comes later is judged: before, caches and tables fill
 * @throws Error where there are too few points for a verdict
 */
export function judge(
  points: readonly Point[],
  baseS: number,
  { share, least, rank = 0.5 }: Allowance,
): Judgement {
  const judged = points.filter(([atS]) => atS >= baseS);
  const size = Math.floor(judged.length / 4);
  if (size < POINTS_PER_QUARTER)
    throw new Error(`${judged.length} samples after the base are too few for a verdict`);
  const valuesOf = (part: readonly Point[]): number[] => part.map(([, value]) => value);
  const first = ranked(valuesOf(judged.slice(0, size)), rank);
  const last = ranked(valuesOf(judged.slice(-size)), rank);
  const lengthS = (judged.at(-1)?.[0] ?? 0) - (judged[0]?.[0] ?? 0);
  const trend = slope(judged) * lengthS;
  const allowance = Math.max(least, share * Math.abs(first));
  return { first, last, trend, allowance, isGrowth: last - first > allowance && trend > allowance };
}

/** The median of the slopes between any two points. */
function slope(points: readonly Point[]): number {
  const slopes: number[] = [];
  for (const [at, [earlierS, earlier]] of points.entries()) {
    for (const [laterS, later] of points.slice(at + 1)) {
      if (laterS > earlierS) slopes.push((later - earlier) / (laterS - earlierS));
    }
  }
  return ranked(slopes, 0.5);
}

function ranked(values: readonly number[], rank: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * rank))] ?? 0;
}
