import { closeSync, existsSync, openSync, readdirSync } from "node:fs";

/** How a command ended: its exit code (null when a signal ended it), and what else is to be said about it. */
export interface Ending {
  code: number | null;
  /** Why the run counts as failed whatever the exit code says: over its deadline, or processes left behind. */
  problem?: string;
}

/** How long the processes that a command started may outlive it before they count as left behind. */
const GRACE_MS = 10_000;

/**
 * Runs a command in a process group of its own, with its output added to a file. Nothing survives it: what is still
 * running at the deadline, when the suite is interrupted, or some seconds after the command itself ended, is killed.
 */
export async function run(
  command: string[],
  options: { env?: Record<string, string>; deadlineMs: number; output: string },
): Promise<Ending> {
  let child: Bun.Subprocess;
  const output = openSync(options.output, "a");
  try {
    child = Bun.spawn(command, {
      env: { ...process.env, ...options.env },
      stdio: ["ignore", output, output],
      detached: true,
    });
  } catch (error) {
    return { code: null, problem: `did not start: ${error instanceof Error ? error.message : error}` };
  } finally {
    closeSync(output);
  }
  const killGroup = (): void => signal(child.pid, "SIGKILL");
  const interrupted = (): never => {
    killGroup();
    process.exit(130);
  };
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    killGroup();
  }, options.deadlineMs);
  try {
    await child.exited;
    if (late)
      return { code: child.exitCode, problem: `was killed: not done within ${options.deadlineMs / 1000} s` };
    const left = await leftBehind(child.pid);
    if (left.length === 0) return { code: child.exitCode };
    return { code: child.exitCode, problem: `left processes behind: ${left.join("; ")}` };
  } finally {
    clearTimeout(deadline);
    killGroup();
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

/** The command lines of a group's processes that have not ended within the grace; empty where /proc is missing. */
async function leftBehind(group: number): Promise<string[]> {
  const until = performance.now() + GRACE_MS;
  while (true) {
    const left = await membersOf(group);
    if (left.length === 0 || performance.now() > until) return left;
    await Bun.sleep(50);
  }
}

async function membersOf(group: number): Promise<string[]> {
  const members: string[] = [];
  // The names alone: a scan that looks into the folders would fail at a process that ends meanwhile.
  const ids = existsSync("/proc") ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
  for (const id of ids) {
    try {
      const stat = await Bun.file(`/proc/${id}/stat`).text();
      // proc(5): the fields after the parenthesised name are state, parent, process group.
      const [state, , processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(processGroup) !== group || state === "Z") continue;
      const commandLine = await Bun.file(`/proc/${id}/cmdline`).text();
      members.push(commandLine.replaceAll("\0", " ").trim());
    } catch {
      // It ended while we looked.
    }
  }
  return members;
}

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // Nobody is left in the group.
  }
}
