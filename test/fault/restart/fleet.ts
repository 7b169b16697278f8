import { resolve } from "node:path";
import type { Standing } from "./fleet-process.ts";

/** Thousands of resuming clients, in a few processes. */
export interface Fleet extends AsyncDisposable {
  /** Resolves when this is true of the whole fleet; fails as soon as a member has found a fault. */
  until(what: string, isTrue: (standing: Standing) => boolean): Promise<Standing>;
}

const PROCESSES = 2;
const UNTIL_LIMIT_MS = 40_000;

/** @param patience how much of the time announced in a goodbye they wait before they return: 1 = as told */
export function startFleet(url: string, count: number, patience: number): Fleet {
  const standings = new Map<number, Standing>();
  const watchers = new Set<() => void>();
  const children = Array.from({ length: PROCESSES }, (_, at) =>
    Bun.spawn(
      [
        process.execPath,
        resolve(import.meta.dir, "fleet-process.ts"),
        url,
        String(count / PROCESSES),
        String(patience),
      ],
      {
        stdio: ["ignore", "inherit", "inherit"],
        ipc(standing: Standing) {
          standings.set(at, standing);
          for (const watcher of watchers) watcher();
        },
      },
    ),
  );
  return {
    async until(what, isTrue) {
      const { promise, resolve: found, reject } = Promise.withResolvers<Standing>();
      const look = (): void => {
        const standing = sum([...standings.values()]);
        if (standing.faults.length > 0) reject(new Error(`${what}: ${standing.faults.join("; ")}`));
        else if (standings.size === PROCESSES && isTrue(standing)) found(standing);
      };
      const timer = setTimeout(() => {
        const { announcedMs, arrivedMs, ...standing } = sum([...standings.values()]);
        reject(new Error(`${what}: not within ${UNTIL_LIMIT_MS} ms: ${JSON.stringify(standing)}`));
      }, UNTIL_LIMIT_MS);
      watchers.add(look);
      look();
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        watchers.delete(look);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map((child) => child.exited));
    },
  };
}

function sum(standings: readonly Standing[]): Standing {
  const add = (of: (standing: Standing) => number): number =>
    standings.reduce((total, standing) => total + of(standing), 0);
  const addEach = (of: (standing: Standing) => Record<string, number>): Record<string, number> => {
    const total: Record<string, number> = {};
    for (const standing of standings) {
      for (const [key, value] of Object.entries(of(standing))) total[key] = (total[key] ?? 0) + value;
    }
    return total;
  };
  return {
    members: add(({ members }) => members),
    live: add(({ live }) => live),
    goodbyes: add(({ goodbyes }) => goodbyes),
    closes: addEach(({ closes }) => closes),
    returns: addEach(({ returns }) => returns),
    announcedMs: standings.flatMap(({ announcedMs }) => announcedMs),
    arrivedMs: standings.flatMap(({ arrivedMs }) => arrivedMs),
    faults: standings.flatMap(({ faults }) => faults),
    slowest: Math.min(...standings.map(({ slowest }) => slowest)),
    fastest: Math.max(...standings.map(({ fastest }) => fastest)),
  };
}
