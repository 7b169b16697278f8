export interface Summary {
  median: number;
  /** (Largest − smallest) ÷ median: how far one round can be trusted. */
  spread: number;
}

/** The middle of the values (of an even number, the mean of the middle two) and how far they lie apart. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error("nothing to summarise");
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] as number;
  const median = (lower + upper) / 2;
  return { median, spread: ((sorted.at(-1) as number) - (sorted[0] as number)) / median };
}

/** The value below which `share` (0 to 1) of the values lie: the nearest rank, so always one of them. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error("nothing to summarise");
  return value;
}
