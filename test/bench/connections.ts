/** Connect storms, and what the memory of the connections is that then stay idle. */
import { parseArgs } from "node:util";
import { residentBytes } from "../support/process.ts";
import { charts, findConnections, renderConnections, type StormRound } from "./connections-report.ts";
import { beginReport, conclude, note, runBenchmark, writeChart, writeReport } from "./finding.ts";
import type { ConnectStormProcess } from "./generator/connect-storm-process.ts";
import { startRemote } from "./generator/remote.ts";
import { machineCpuSeconds, startCpuMeter } from "./machine.ts";
import { positive } from "./options.ts";
import { assertOpenFiles } from "./rounds.ts";
import { createSecret, startServer } from "./servers.ts";
import { percentile } from "./statistics.ts";
import type { Target } from "./target.ts";
import { resolveTargets } from "./targets.ts";

const DEFAULTS = {
  targets: "floor,hub,hub-full,ws,socket.io,nchan",
  clients: "10000",
  rounds: "3",
  settle: "3",
};

const HELP = `Lets many clients connect to a freshly started server at once, measures the time until the last of them was told the
status, and what the server's memory is before, and with the idle connections after a while. The targets: all told
in under 3 s, at most 3 KB for each connection, 60 MB at rest.

  bun test/bench/connections.ts [options]

  --targets LIST      servers to measure
                      (${DEFAULTS.targets})
  --clients N                                                              (${DEFAULTS.clients})
  --at-once N         handshakes begun before the first has ended          (all of them)
  --rounds N          storms for each server, servers taking turns         (${DEFAULTS.rounds})
  --settle N          seconds that the connections are idle for            (${DEFAULTS.settle})
  --assert            exit code 1 if a target is missed
  --out DIR           for the results as JSON, Markdown and SVG            (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;

/** From the start until the memory at rest is read. */
const REST_MS = 1_000;

interface Storm {
  clients: number;
  atOnce: number;
  settleMs: number;
}

async function storm(target: Target, { clients, atOnce, settleMs }: Storm): Promise<StormRound> {
  const server = await startServer(target, createSecret());
  const generator = startRemote<ConnectStormProcess>(target.name, "connect-storm-process.ts");
  try {
    await generator.ask("warmUp", undefined);
    await Bun.sleep(REST_MS);
    const restBytes = residentBytes(server.pid);
    const meters = [server.pid, generator.pid, process.pid].map(startCpuMeter);
    const machineBefore = machineCpuSeconds();
    const startMs = performance.now();
    const wire = target.wire ?? "raw";
    const { toldAfterMs, failedAttempts } = await generator.ask("start", {
      url: server.url,
      wire,
      clients,
      atOnce,
    });
    const seconds = (performance.now() - startMs) / 1_000;
    const machineSeconds = machineCpuSeconds() - machineBefore;
    const used = meters.map((read) => read());
    await Bun.sleep(settleMs);
    return {
      halfToldMs: percentile(toldAfterMs, 0.5),
      allToldMs: percentile(toldAfterMs, 1),
      failedAttempts,
      restBytes,
      idleBytes: residentBytes(server.pid),
      serverShare: (used[0] ?? 0) / seconds,
      generatorShare: (used[1] ?? 0) / seconds,
      othersShare: Math.max(0, machineSeconds - used.reduce((sum, each) => sum + each, 0)) / seconds,
    };
  } catch (error) {
    note(`${target.name} logged last:\n${server.lastLog()}`);
    throw error;
  } finally {
    await Promise.all([generator.stop(), server.stop()]);
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      targets: { type: "string", default: DEFAULTS.targets },
      clients: { type: "string", default: DEFAULTS.clients },
      "at-once": { type: "string" },
      rounds: { type: "string", default: DEFAULTS.rounds },
      settle: { type: "string", default: DEFAULTS.settle },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const clients = positive(values.clients);
  const atOnce = positive(values["at-once"] ?? values.clients);
  const settleMs = positive(values.settle) * 1_000;
  assertOpenFiles(clients);
  const { targets, leftOut } = await resolveTargets(values.targets.split(","));
  const results = targets.map(({ name, peer }) => ({
    target: name,
    isPeer: peer !== undefined,
    rounds: [] as StormRound[],
  }));
  for (let turn = 0; turn < positive(values.rounds); turn += 1) {
    for (const [index, target] of targets.entries()) {
      const round = await storm(target, { clients, atOnce, settleMs });
      results[index]?.rounds.push(round);
      const perClient = (round.idleBytes - round.restBytes) / clients;
      note(
        `${target.name}: all told after ${round.allToldMs.toFixed(0)} ms, ${perClient.toFixed(0)} bytes each`,
      );
    }
  }
  const { findings, disturbance } = findConnections(results, clients);
  const report = {
    ...beginReport("connections", "Connect storms and idle connections", argv),
    ...{ disturbance, findings, clients, atOnce, leftOut, results },
  };
  await writeReport(report, renderConnections(report, targets), values.out);
  await writeChart("connections", charts(report), values.out);
  note(disturbance);
  return conclude(findings, values.assert);
}

await runBenchmark(main);
