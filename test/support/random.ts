/** A repeatable source of chance: the same seed gives the same numbers. */
export interface Random {
  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  bytes(length: number): Uint8Array;
  /** Any text that UTF-8 can hold. */
  text(length: number): string;
}

/** Mulberry32: 32 bits of state, good enough to spread test cases. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (items) => items[below(items.length)] ?? items[0],
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
    text: (length) =>
      String.fromCodePoint(
        ...Array.from({ length }, () => {
          const point = below(2) === 0 ? below(0x80) : below(0x110000);
          return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
        }),
      ),
  };
}
