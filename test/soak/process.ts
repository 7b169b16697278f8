import { readdirSync, readFileSync } from "node:fs";
import { openSockets } from "../support/process.ts";

/** What Linux's /proc says of a process. */
export interface ProcessFigures {
  /** Anonymous resident memory (RssAnon): heap and stacks, without the pages of the executable. */
  readonly memoryMb: number;
  readonly residentMb: number;
  readonly threads: number;
  readonly files: number;
  readonly sockets: number;
  /** How often the main thread went to sleep so far, and so was woken: by traffic, or by a timer. */
  readonly wakeUps: number;
  readonly cpuS: number;
}

/** USER_HZ: fixed at 100 on Linux, whatever the kernel's own clock. */
const TICKS_PER_S = 100;

export function readProcess(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mainThread = readFileSync(`/proc/${pid}/task/${pid}/status`, "utf8");
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // proc(5): behind the name in parentheses come state, parent and so on; utime and stime are fields 14 and 15 of all.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    memoryMb: field(status, "RssAnon") / 1000,
    residentMb: field(status, "VmRSS") / 1000,
    threads: field(status, "Threads"),
    files: readdirSync(`/proc/${pid}/fd`).length,
    sockets: openSockets(pid),
    wakeUps: field(mainThread, "voluntary_ctxt_switches"),
    cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S,
  };
}

/** A number of a status file; memory stands there in kB. */
function field(status: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1];
  if (value === undefined) throw new Error(`/proc has no ${name}: the soak needs Linux 4.5 or newer`);
  return Number(value);
}
