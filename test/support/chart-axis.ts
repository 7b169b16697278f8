/** The scale of one axis of a chart: its range, its round ticks, and where a value lies between the two ends. */
export interface Axis {
  readonly ticks: readonly number[];
  /** 0 at the lower end, 1 at the upper; undefined for what the scale cannot show: no number, or 0 on a log scale. */
  share(value: number): number | undefined;
}

/** Ticks are 1, 2 or 5 times a power of ten apart. */
const ROUND = [1, 2, 5, 10] as const;

/** @param values what must lie within the axis; `fromZero` begins it at 0 where none of them is below */
export function linearAxis(values: readonly number[], wantedTicks: number, fromZero = false): Axis {
  const known = values.filter(Number.isFinite);
  let [low, high] = known.length === 0 ? [0, 1] : [smallest(known), largest(known)];
  if (fromZero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 10, high + Math.abs(high) / 10];
  const step = roundStep((high - low) / wantedTicks);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => tidy((first + at) * step));
  const [start, end] = [first * step, last * step];
  return { ticks, share: (value) => (Number.isFinite(value) ? (value - start) / (end - start) : undefined) };
}

/** The same with equal distances for equal ratios. Whole decades, with 2 and 5 between them where there are few. */
export function logAxis(values: readonly number[]): Axis {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  const [low, high] = known.length === 0 ? [1, 10] : [smallest(known), largest(known)];
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const within = last - first <= 2 ? [1, 2, 5] : [1];
  const stride = Math.ceil((last - first) / 8);
  const decades = Array.from({ length: last - first }, (_, at) => first + at).filter(
    (_, at) => at % stride === 0,
  );
  const ticks = [
    ...decades.flatMap((decade) => within.map((digit) => tidy(digit * 10 ** decade))),
    10 ** last,
  ];
  return {
    ticks,
    share: (value) =>
      Number.isFinite(value) && value > 0 ? (Math.log10(value) - first) / (last - first) : undefined,
  };
}

/** A number as people read it on an axis: 1,500 and 2.5M, never 1500.0000001. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${tidy(value / 1e9)}G`;
  if (size >= 1e6) return `${tidy(value / 1e6)}M`;
  if (size !== 0 && size < 1e-4) return value.toExponential(0);
  return tidy(value).toLocaleString("en-US", { maximumFractionDigits: 4 });
}

function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const digit = ROUND.find((each) => each * power >= least * (1 - 1e-9)) ?? 10;
  return digit * power;
}

/** Without what binary fractions leave behind: 0.30000000000000004. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value));
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value));
}
