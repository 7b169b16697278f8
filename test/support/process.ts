import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What a test learns of a process from Linux's /proc. */
export const HAS_PROC = existsSync("/proc/self/status");

/** The memory that is resident, in bytes (proc(5), VmRSS). */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** How many sockets it has open. */
export function openSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith("socket:");
    } catch {
      // It was closed while we looked.
      return false;
    }
  }).length;
}
