/** How long servers take to start, and how large the binary and the container image are. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { barChart } from "../support/chart.ts";
import {
  beginReport,
  conclude,
  type Finding,
  note,
  renderHead,
  runBenchmark,
  writeChart,
  writeReport,
} from "./finding.ts";
import { machineCpuSeconds } from "./machine.ts";
import { positive } from "./options.ts";
import { describeTargets } from "./report.ts";
import { createSecret, startServer } from "./servers.ts";
import { percentile, summarise } from "./statistics.ts";
import { ROOT, type Target } from "./target.ts";
import { resolveTargets } from "./targets.ts";

const MOST_MS = 100;
const ANSWERED_WITHIN_MS = 10_000;
const DEFAULTS = { targets: "floor,hub,hub-full,ws,socket.io,nchan", rounds: "20" };
const BINARY = "dist/vectra-hub";
const IMAGE = "dist/vectra-hub.oci.tar";

const HELP = `Measures how long servers take from exec until they have answered an HTTP request, and how large the hub's binary and
image are. The target is ${MOST_MS} ms.

  bun test/bench/footprint.ts [options]

  --targets LIST      servers to start (${DEFAULTS.targets})
  --rounds N          starts of each, servers taking turns                 (${DEFAULTS.rounds})
  --no-image          do not build ${IMAGE} where it is missing
  --assert            exit code 1 if a target is missed
  --out DIR           for the results as JSON, Markdown and SVG            (dist/bench)

The hub is HUB_COMMAND (a JSON array), else dist/vectra-hub where it exists, else the source.
`;

interface Started {
  target: string;
  isPeer: boolean;
  /** Of each start. */
  answeredAfterMs: number[];
}

async function start(target: Target): Promise<number> {
  const server = await startServer(target, createSecret());
  try {
    const signal = AbortSignal.timeout(ANSWERED_WITHIN_MS);
    // Whatever it answers: that it does is the point.
    const response = await fetch(server.url, {
      redirect: "manual",
      headers: { connection: "close" },
      signal,
    });
    await response.arrayBuffer();
    return performance.now() - server.spawnedAtMs;
  } finally {
    await server.stop();
  }
}

function findStarts(started: readonly Started[]): Finding[] {
  return started.flatMap(({ target, isPeer, answeredAfterMs }): Finding[] => {
    if (isPeer || !target.startsWith("hub")) return [];
    const { median } = summarise(answeredAfterMs);
    return [
      {
        what: `start of ${target}, from exec until it has answered a request`,
        measured: `${median.toFixed(0)} ms (median of ${answeredAfterMs.length}, longest ${Math.max(...answeredAfterMs).toFixed(0)} ms)`,
        target: `within ${MOST_MS} ms`,
        met: median <= MOST_MS,
      },
    ];
  });
}

function findSizes(): Finding[] {
  const sizes = [
    { what: "size of the binary", file: BINARY, otherwise: "not built (make build)" },
    {
      what: "size of the container image, as an OCI archive",
      file: IMAGE,
      otherwise: "not built (make image)",
    },
  ];
  return sizes.map(({ what, file, otherwise }) => {
    const path = join(ROOT, file);
    const measured = existsSync(path) ? `${(statSync(path).size / 1e6).toFixed(1)} MB` : otherwise;
    return { what, measured, target: "", met: true };
  });
}

/** Builds the image where it is missing and something is there to build it with. */
async function buildImage(): Promise<void> {
  const hasTool = ["docker", "podman", "buildah"].some((tool) => Bun.which(tool) !== null);
  if (existsSync(join(ROOT, IMAGE)) || !hasTool) return;
  note("building the image");
  const make = Bun.spawn(["env", "-u", "MAKEFLAGS", "make", "--no-print-directory", "image"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await make.exited) !== 0) note("the image could not be built: its size is left out");
}

function renderStarts(started: readonly Started[]): string {
  const rows = started.map(({ target, answeredAfterMs }) => {
    const cells = [
      summarise(answeredAfterMs).median,
      Math.min(...answeredAfterMs),
      percentile(answeredAfterMs, 0.9),
      Math.max(...answeredAfterMs),
    ].map((value) => value.toFixed(0));
    return `| ${[target, ...cells].join(" | ")} |`;
  });
  const head = ["| server | median ms | least ms | p90 ms | longest ms |", "| --- | --: | --: | --: | --: |"];
  return [...head, ...rows].join("\n");
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      targets: { type: "string", default: DEFAULTS.targets },
      rounds: { type: "string", default: DEFAULTS.rounds },
      "no-image": { type: "boolean", default: false },
      assert: { type: "boolean", default: false },
      out: { type: "string", default: "dist/bench" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!values["no-image"]) await buildImage();
  const { targets, leftOut } = await resolveTargets(values.targets.split(","));
  const started: Started[] = targets.map(({ name, peer }) => ({
    target: name,
    isPeer: peer !== undefined,
    answeredAfterMs: [],
  }));
  // Once for nothing: the file has to come from the disk, and the first request of this process takes longer.
  for (const target of targets) await start(target);
  const machineBefore = machineCpuSeconds();
  const startMs = performance.now();
  for (let turn = 0; turn < positive(values.rounds); turn += 1) {
    for (const [index, target] of targets.entries())
      started[index]?.answeredAfterMs.push(await start(target));
  }
  const busy = (machineCpuSeconds() - machineBefore) / ((performance.now() - startMs) / 1_000);
  const report = {
    ...beginReport("footprint", "Start and size", argv),
    disturbance: `the machine was busy with ${Math.round(busy * 100)} % of a core meanwhile, the servers included`,
    findings: [...findStarts(started), ...findSizes()],
    leftOut,
    results: started,
  };
  const markdown = `${renderHead(report, describeTargets(targets))}

${renderStarts(started)}
`;
  await writeReport(report, markdown, values.out);
  const chart = barChart({
    title: "From exec until a request is answered",
    yLabel: "ms",
    groups: started.map(({ target, answeredAfterMs }) => {
      const spread = [Math.min(...answeredAfterMs), Math.max(...answeredAfterMs)] as const;
      return { name: target, bars: [{ name: "ms", value: summarise(answeredAfterMs).median, spread }] };
    }),
  });
  await writeChart("start", chart, values.out);
  return conclude(report.findings, values.assert);
}

await runBenchmark(main);
