/**
 * The resume storm: many stream-framed clients that all missed many messages reconnect at once, and a bystander that was
 * live all along is watched meanwhile. Hub, storm and bystander are processes of their own.
 */
import { parseArgs } from "node:util";
import { beginReport, conclude, note, renderFindings, runBenchmark, writeReport } from "./finding.ts";
import type { BystanderProcess } from "./generator/bystander-process.ts";
import { startRemote } from "./generator/remote.ts";
import type { StormProcess } from "./generator/storm-process.ts";
import { machineCpuSeconds, startCpuMeter } from "./machine.ts";
import { positive } from "./options.ts";
import { assertOpenFiles } from "./rounds.ts";
import { createSecret, type RunningServer, startServer } from "./servers.ts";
import { describeStorms, findStorms, renderStorms, type StormRound } from "./storm-report.ts";
import { describeCommand } from "./target.ts";
import { resolveTarget } from "./targets.ts";

const HELP = `Measures a resume storm: clients that each missed messages of 200 bytes come back at once, and how late a
bystander's live messages are meanwhile, from when they should have been sent. Every client is checked to get
exactly what it missed and then what is live. The target is a 99th percentile of less than 250 ms.

  bun test/bench/resume.ts [options]

  --clients N         that come back at once                               (1000)
  --missed N          messages that each of them missed                    (1000)
  --per-second N      live messages meanwhile                              (50)
  --rounds N          storms, of which the latencies are taken together    (5)
  --assert            exit code 1 if the target is missed
  --out DIR           for the results as JSON and Markdown                 (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;

/** How long the bystander is watched without a storm, to compare with. */
const CALM_MS = 2_000;

interface Options {
  clients: number;
  missed: number;
  perSecond: number;
  rounds: number;
  assert: boolean;
  out: string;
}

function parseOptions(argv: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      clients: { type: "string", default: "1000" },
      missed: { type: "string", default: "1000" },
      "per-second": { type: "string", default: "50" },
      rounds: { type: "string", default: "5" },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    clients: positive(values.clients),
    missed: positive(values.missed),
    perSecond: positive(values["per-second"]),
    rounds: positive(values.rounds),
    assert: values.assert,
    out: values.out,
  };
}

async function measureStorms(server: RunningServer, workerSecret: string, options: Options) {
  const { url } = server;
  const { clients, missed, perSecond } = options;
  const bystander = startRemote<BystanderProcess>("bystander", "bystander-process.ts");
  const rounds: StormRound[] = [];
  try {
    await bystander.ask("connect", { url, workerSecret });
    await bystander.ask("startPace", perSecond);
    await Bun.sleep(CALM_MS);
    const calm = await bystander.ask("stopPace", undefined);
    for (let round = 0; round < options.rounds; round += 1) {
      // A process for each storm: what one leaves in its heap would slow the next one down.
      const storm = startRemote<StormProcess>("storm", "storm-process.ts");
      try {
        const { cursor, first } = await bystander.ask("publishAtOnce", missed);
        await bystander.ask("startPace", perSecond);
        const hubCpuSeconds = startCpuMeter(server.pid);
        const generatorCpuSeconds = [bystander.pid, storm.pid, process.pid].map(startCpuMeter);
        const machineBefore = machineCpuSeconds();
        const startMs = performance.now();
        const result = await storm.ask("start", { url, clients, cursor, first, missed });
        const seconds = (performance.now() - startMs) / 1_000;
        const machineSeconds = machineCpuSeconds() - machineBefore;
        const hubSeconds = hubCpuSeconds();
        const generatorSeconds = generatorCpuSeconds.reduce((sum, read) => sum + read(), 0);
        const { latenciesMs, next } = await bystander.ask("stopPace", undefined);
        await storm.ask("finish", next);
        rounds.push({ ...result, latenciesMs, seconds, hubSeconds, generatorSeconds, machineSeconds });
        note(describeStorms(`storm ${round + 1}`, rounds.slice(-1)));
      } finally {
        await storm.stop();
      }
    }
    return { calmMs: calm.latenciesMs, rounds };
  } finally {
    await bystander.stop();
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  assertOpenFiles(options.clients);
  const target = await resolveTarget("hub");
  const workerSecret = createSecret();
  const server = await startServer(target, workerSecret);
  try {
    const measured = await measureStorms(server, workerSecret, options);
    const { findings, disturbance } = findStorms(measured, options);
    const report = { ...beginReport("resume", "Resume storm", argv), disturbance, findings, ...measured };
    process.stdout.write(`${renderFindings(findings)}\n`);
    await writeReport(report, renderStorms(report, describeCommand(target)), options.out);
    note(disturbance);
    return conclude(findings, options.assert);
  } catch (error) {
    note(`the hub logged last:\n${server.lastLog()}`);
    throw error;
  } finally {
    await server.stop();
  }
}

await runBenchmark(main);
