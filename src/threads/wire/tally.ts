/** How many clients the process has, in memory that all threads share: each takes places without asking. */
export interface Tally {
  /** @param limit of all threads together. @returns false where there is no place left */
  take(limit: number): boolean;
  leave(): void;
}

/** The sum, and then the part of each thread, so that the places of one that crashes can be given back. */
export function tallyMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer((1 + threads) * Int32Array.BYTES_PER_ELEMENT);
}

export function createTally(memory: SharedArrayBuffer, thread: number): Tally {
  const cells = new Int32Array(memory);
  return {
    take(limit) {
      if (Atomics.add(cells, 0, 1) >= limit) {
        Atomics.sub(cells, 0, 1);
        return false;
      }
      Atomics.add(cells, 1 + thread, 1);
      return true;
    },
    leave() {
      Atomics.sub(cells, 1 + thread, 1);
      Atomics.sub(cells, 0, 1);
    },
  };
}

/** The thread has gone, and all its clients with it. */
export function clearTally(memory: SharedArrayBuffer, thread: number): void {
  const cells = new Int32Array(memory);
  Atomics.sub(cells, 0, Atomics.exchange(cells, 1 + thread, 0));
}
