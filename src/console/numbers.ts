const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** `12,345` */
export function count(value: number): string {
  return GROUPED.format(value);
}

/** `1 message`, `12,345 messages` */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `812 B`, `1.4 kB`, `64 MB` */
export function bytes(value: number): string {
  for (const [unit, size] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const) {
    if (value >= size) return `${count(value / size)} ${unit}`;
  }
  return `${value} B`;
}
