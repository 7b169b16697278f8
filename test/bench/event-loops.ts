import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * How many sockets each event loop of a process watches, by the number of its epoll instance: on Linux each thread that
 * serves has one of its own, and /proc shows what it watches (proc(5), fdinfo). So it is known from outside which thread
 * has how many connections, without asking the server.
 */
export function socketsByLoop(pid: number): Map<number, number> {
  const folder = `/proc/${pid}/fd`;
  const kinds = new Map<number, string>();
  for (const name of readdirSync(folder)) {
    try {
      kinds.set(Number(name), readlinkSync(`${folder}/${name}`));
    } catch {
      // It was closed while we looked.
    }
  }
  const loops = new Map<number, number>();
  for (const [fd, kind] of kinds) {
    if (kind !== "anon_inode:[eventpoll]") continue;
    const watched = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1").matchAll(/^tfd:\s+(\d+)/gm);
    const sockets = [...watched].filter(([, tfd]) => kinds.get(Number(tfd))?.startsWith("socket:"));
    loops.set(fd, sockets.length);
  }
  return loops;
}

/** The connections that have come since, in each of the `threads` loops that got most. */
export function newSockets(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
  threads: number,
): number[] {
  const grown = [...after].map(([fd, sockets]) => Math.max(0, sockets - (before.get(fd) ?? 0)));
  const most = grown.sort((left, right) => right - left).slice(0, threads);
  return [...most, ...Array.from({ length: threads - most.length }, () => 0)];
}
