/** Counts of values by bucket. Buckets grow by 1 %, which is as exact as a percentile of latencies can be told. */
export interface Histogram {
  /** By the bucket's number. */
  counts: Record<number, number>;
  total: number;
  /** Exactly. */
  max: number;
}

const GROWTH = Math.log(1.01);
/** Everything below is one bucket: 1 µs where the unit is a millisecond. */
const LEAST = 0.001;

export function createHistogram(): Histogram {
  return { counts: {}, total: 0, max: 0 };
}

/** Adds a value, 0 or larger. */
export function record(histogram: Histogram, value: number): void {
  const bucket = value <= LEAST ? 0 : Math.ceil(Math.log(value / LEAST) / GROWTH);
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
  histogram.total += 1;
  if (value > histogram.max) histogram.max = value;
}

/** All values of all of them. */
export function merge(histograms: readonly Histogram[]): Histogram {
  const merged = createHistogram();
  for (const { counts, total, max } of histograms) {
    for (const [bucket, count] of Object.entries(counts)) {
      merged.counts[Number(bucket)] = (merged.counts[Number(bucket)] ?? 0) + count;
    }
    merged.total += total;
    merged.max = Math.max(merged.max, max);
  }
  return merged;
}

/** The value that `share` (0 to 1) of the values do not exceed, rounded up by at most 1 %. */
export function percentileOf(histogram: Histogram, share: number): number {
  if (histogram.total === 0) throw new Error("nothing to summarise");
  const wanted = Math.max(1, Math.ceil(share * histogram.total));
  let seen = 0;
  // Keys that are whole numbers are listed in ascending order.
  for (const [bucket, count] of Object.entries(histogram.counts)) {
    seen += count;
    if (seen >= wanted) return Math.min(histogram.max, LEAST * Math.exp(Number(bucket) * GROWTH));
  }
  return histogram.max;
}
