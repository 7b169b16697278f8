/** What went wrong, bounded: the first ones say most, and of the rest the number. */
export interface Faults {
  readonly list: readonly string[];
  total(): number;
  add(what: string): void;
}

const KEPT = 20;

export function createFaults(onFault: (what: string) => void): Faults {
  const list: string[] = [];
  let total = 0;
  return {
    list,
    total: () => total,
    add(what) {
      total += 1;
      if (list.length >= KEPT) return;
      list.push(what);
      onFault(what);
    },
  };
}
