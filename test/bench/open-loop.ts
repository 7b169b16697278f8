/** Open-loop measurements: messages are sent at a fixed pace, whatever the server does, and witnesses time them. */
import { note } from "./finding.ts";
import type { CrowdProcess } from "./generator/crowd-process.ts";
import type { Pace, PaceResult } from "./generator/probe.ts";
import type { ProbeProcess } from "./generator/probe-process.ts";
import { type Remote, startRemote } from "./generator/remote.ts";
import { machineCpuSeconds, startCpuMeter } from "./machine.ts";
import { createSecret, type RunningServer, startServer } from "./servers.ts";
import type { Target } from "./target.ts";

/** Of the subscribers, spread evenly over the order in which they connect: the first is sent to long before the last. */
export const WITNESSES = 16;

export interface PaceRound extends PaceResult {
  perSecond: number;
  /** CPU time of the server for each delivery: what it used in this round ÷ the round's messages ÷ all subscribers. */
  serverCpuMicroseconds: number;
  /** Shares of one core. */
  serverShare: number;
  crowdShare: number;
  othersShare: number;
}

export interface OpenLoop {
  target: Target;
  run(pace: Pace): Promise<PaceRound>;
  stop(): Promise<void>;
}

export async function startOpenLoop(target: Target, subscribers: number): Promise<OpenLoop> {
  const workerSecret = createSecret();
  const server = await startServer(target, workerSecret);
  const crowd = startRemote<CrowdProcess>(`${target.name}, crowd`, "crowd-process.ts");
  const probe = startRemote<ProbeProcess>(`${target.name}, probe`, "probe-process.ts");
  const stop = async (): Promise<void> => {
    await Promise.all([crowd.stop(), probe.stop(), server.stop()]);
  };
  const withLog = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      note(`${target.name} logged last:\n${server.lastLog()}`);
      throw error;
    }
  };
  try {
    await withLog(connect({ target, server, workerSecret, crowd, probe, subscribers }));
  } catch (error) {
    await stop();
    throw error;
  }
  let sent = 0;
  return {
    target,
    stop,
    async run(pace) {
      const meters = [server.pid, crowd.pid, probe.pid, process.pid].map(startCpuMeter);
      const machineBefore = machineCpuSeconds();
      const startMs = performance.now();
      const result = await withLog(probe.ask("run", pace));
      const seconds = (performance.now() - startMs) / 1_000;
      const machineSeconds = machineCpuSeconds() - machineBefore;
      const used = meters.map((read) => read());
      await withLog(crowd.ask("finish", result.sent));
      const own = used.reduce((sum, each) => sum + each, 0);
      const messages = result.sent - sent;
      sent = result.sent;
      return {
        ...result,
        perSecond: pace.perSecond,
        serverCpuMicroseconds: ((used[0] ?? 0) / messages / subscribers) * 1e6,
        serverShare: (used[0] ?? 0) / seconds,
        crowdShare: (used[1] ?? 0) / seconds,
        othersShare: Math.max(0, machineSeconds - own) / seconds,
      };
    },
  };
}

interface Parts {
  target: Target;
  server: RunningServer;
  workerSecret: string;
  crowd: Remote<CrowdProcess>;
  probe: Remote<ProbeProcess>;
  subscribers: number;
}

async function connect({ target, server, workerSecret, crowd, probe, subscribers }: Parts): Promise<void> {
  const { url } = server;
  const wire = target.wire ?? "raw";
  await probe.ask("connect", { url, workerSecret, wire });
  const witnesses = Math.min(WITNESSES, subscribers);
  let connected = 0;
  for (let witness = 0; witness < witnesses; witness += 1) {
    const count = Math.round(((subscribers - witnesses) * (witness + 1)) / witnesses) - connected;
    if (count > 0) await crowd.ask("connect", { url, wire, count });
    connected += count;
    await probe.ask("addWitness", undefined);
  }
}
