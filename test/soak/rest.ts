import { call } from "./call.ts";
import { readProcess } from "./process.ts";

/** What is open while nobody is connected. */
export interface Rest {
  readonly sockets: number;
  readonly files: number;
  /** Of the main thread, per second. At rest only timers wake it, so they stand for the timers that repeat. */
  readonly wakeUpsPerS: number;
  readonly memoryMb: number;
  readonly cpuS: number;
}

const WINDOW_MS = 2_000;
const QUIET_WINDOWS = 3;
/** How long what the load has left behind may take to go. */
const RETURN_LIMIT_MS = 90_000;
/** Bun opens some files of its own when they are first needed. */
const SPARE_FILES = 4;
const SPARE_SOCKETS = 1;

/** The quietest of a few moments: what else the machine does can only add. */
export async function measureRest(pid: number): Promise<Rest> {
  const rests: Rest[] = [];
  for (let n = 0; n < QUIET_WINDOWS; n += 1) rests.push(await watch(pid));
  return rests.reduce((best, rest) => (rest.wakeUpsPerS < best.wakeUpsPerS ? rest : best));
}

async function watch(pid: number): Promise<Rest> {
  const before = readProcess(pid);
  const startMs = performance.now();
  await Bun.sleep(WINDOW_MS);
  const after = readProcess(pid);
  const wakeUpsPerS = ((after.wakeUps - before.wakeUps) * 1000) / (performance.now() - startMs);
  return {
    sockets: after.sockets,
    files: after.files,
    wakeUpsPerS,
    memoryMb: after.memoryMb,
    cpuS: after.cpuS,
  };
}

/**
 * Waits until everything is as it was before the load: no connections, no commands, as few sockets, files and timers.
 * @returns what was reached, and what has not come back within a minute and a half
 */
export async function returnToRest(
  hub: { readonly url: string; readonly pid: number },
  base: Rest,
): Promise<{ readonly rest: Rest; readonly left: readonly string[] }> {
  const untilMs = performance.now() + RETURN_LIMIT_MS;
  while (true) {
    const rest = await watch(hub.pid);
    const { connections, commands } = JSON.parse((await call(hub, "/api/v1/stats")).body);
    const left = [
      ...more("WebSocket clients", connections.client.websocket, 0),
      ...more("SSE clients", connections.client.sse, 0),
      ...more("workers", connections.worker.websocket, 0),
      ...more("commands", commands.waiting, 0),
      ...more("sockets", rest.sockets, base.sockets + SPARE_SOCKETS),
      ...more("files", rest.files, base.files + SPARE_FILES),
      ...more("wake-ups per second, which timers cause,", rest.wakeUpsPerS, base.wakeUpsPerS * 2 + 10),
    ];
    if (left.length === 0 || performance.now() > untilMs) return { rest, left };
  }
}

function more(what: string, value: number, limit: number): string[] {
  if (value <= limit) return [];
  return [
    `after the load: ${Math.round(value * 10) / 10} ${what} where at most ${Math.round(limit)} should be left`,
  ];
}
