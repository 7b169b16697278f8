import { readdirSync, readFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";

/** USER_HZ: the unit of /proc's CPU times. The kernel's interface to user space fixes it at 100 on x86 and ARM. */
const TICKS_PER_SECOND = 100;

/**
 * CPU seconds that a process uses from now until the returned function is called: user and system, all threads. On a
 * noisy machine that is a better measure than time on the wall, because it counts only while the process really runs.
 * It is read from the scheduler's own count (/proc/pid/task/tid/schedstat, nanoseconds) where the kernel keeps it,
 * else from /proc/pid/stat, whose ticks of 10 ms are coarse for a short round (proc(5)).
 */
export function startCpuMeter(pid: number): () => number {
  const before = threadSeconds(pid);
  if (before !== undefined) {
    return () => {
      let used = 0;
      for (const [thread, seconds] of threadSeconds(pid) ?? []) used += seconds - (before.get(thread) ?? 0);
      return used;
    };
  }
  const ticksBefore = processTicks(pid);
  return () => (processTicks(pid) - ticksBefore) / TICKS_PER_SECOND;
}

function threadSeconds(pid: number): Map<string, number> | undefined {
  const threads = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ", 1);
      threads.set(thread, Number(nanoseconds) / 1e9);
    } catch {
      // This thread has just ended, or the kernel keeps no such count for any.
    }
  }
  return threads.size > 0 ? threads : undefined;
}

function processTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The command name, in parentheses, may itself hold spaces: count the fields from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** CPU seconds that this machine has spent on anything, all cores together (the first line of /proc/stat). */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    readFileSync("/proc/stat", "latin1").split("\n", 1)[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** How many sockets a process may have open (RLIMIT_NOFILE as it starts). */
export function openFileLimit(): number {
  const limits = readFileSync("/proc/self/limits", "latin1");
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024);
}

/** What the numbers were measured on, in one line. */
export function describeMachine(): string {
  const models = cpus();
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  // What a distributor has added to the kernel's version says nothing to a reader.
  const [version = ""] = /^\d+\.\d+/.exec(release()) ?? [];
  const system = `${type()} ${version} ${arch()}`;
  return `${models.length} × ${models[0]?.model ?? "unknown CPU"}, ${memoryGib} GiB, ${system}, Bun ${Bun.version}`;
}

/** What file system a folder is on, in words (/proc/self/mounts, proc(5)). */
export function describeFileSystem(folder: string): string {
  const mounts = readFileSync("/proc/self/mounts", "utf8").trimEnd().split("\n");
  let found = { at: "", type: "an unknown file system", device: "" };
  for (const mount of mounts) {
    const [device = "", at = "", type = ""] = mount.split(" ");
    const holds = at === "/" || folder === at || folder.startsWith(`${at}/`);
    // Of mounts at one place the last one lies on top.
    if (holds && at.length >= found.at.length) found = { at, type, device };
  }
  return found.device === "" ? found.type : `${found.type} (${found.device})`;
}
