import { HAS_PROC, openSockets, residentBytes } from "../../support/process.ts";

/** Watches that memory and sockets come back to where they were once an episode's connections are gone. */
export interface MemoryWatch {
  /** @returns what is wrong, after waiting for it to become right */
  settle(limitMs: number): Promise<string | undefined>;
  /** Resident bytes at the last episode's end; 0 without /proc. */
  residentBytes(): number;
}

/** Tables fill, code is compiled, the heap finds its size: these episodes only set the baseline. */
export const WARM_UP_EPISODES = 5;

/**
 * So much above the baseline (the largest of the warm-up) is allowed, for garbage that is not collected yet and pages that
 * the allocator keeps: in runs of a minute that came to some 40 MiB. A minute makes at least 10,000 connections, so it
 * finds a leak of 20 KB for each; an hour finds one of 350 bytes.
 */
export const GROWTH_LIMIT_BYTES = 192 * 1_048_576;

/** Kept connections of the fuzzer's own HTTP client, and listeners. */
const SPARE_SOCKETS = 12;

const POLL_INTERVAL_MS = 50;

/** @param witnesses how many connections are there between the episodes */
export function watchMemory(pid: number, witnesses: number): MemoryWatch {
  let episodes = 0;
  let baselineBytes = 0;
  let lastBytes = 0;

  const look = (): string | undefined => {
    const sockets = openSockets(pid);
    if (sockets > witnesses + SPARE_SOCKETS) return `${sockets} sockets are open, for ${witnesses} witnesses`;
    lastBytes = residentBytes(pid);
    if (episodes <= WARM_UP_EPISODES || lastBytes <= baselineBytes + GROWTH_LIMIT_BYTES) return undefined;
    return `memory is at ${mib(lastBytes)}, from ${mib(baselineBytes)} after ${WARM_UP_EPISODES} episodes`;
  };

  return {
    async settle(limitMs) {
      if (!HAS_PROC) return undefined;
      episodes += 1;
      const deadlineMs = performance.now() + limitMs;
      let wrong = look();
      while (wrong !== undefined && performance.now() < deadlineMs) {
        await Bun.sleep(POLL_INTERVAL_MS);
        wrong = look();
      }
      if (episodes <= WARM_UP_EPISODES) baselineBytes = Math.max(baselineBytes, lastBytes);
      return wrong;
    },
    residentBytes: () => lastBytes,
  };
}

export function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`;
}
