import { createFolder } from "../support/folder.ts";
import { createRandom } from "../support/random.ts";
import { startAuthServer } from "./auth-server.ts";
import { createCommandLedger } from "./commands.ts";
import { readCoverage } from "./coverage.ts";
import { runCrowd } from "./crowd.ts";
import { createFaults } from "./faults.ts";
import { createHubProcess } from "./hub-process.ts";
import { createLine } from "./line.ts";
import { createTides, KEYS_USED, runPublishers } from "./publishers.ts";
import { createReceipts } from "./receipts.ts";
import { measureRest, type Rest, returnToRest } from "./rest.ts";
import { HISTORY_FILE, type Life, runRestarts } from "./restarts.ts";
import { type Finding, findExcess, judgeGrowth, judgeLives } from "./rules.ts";
import { type Sample, takeSample } from "./samples.ts";
import { pause, type Scene } from "./scene.ts";
import { COMMAND_TTL_MS, KEPT, measuredEnv, restartedEnv } from "./settings.ts";
import { runTrouble } from "./trouble.ts";
import { startWitnesses } from "./witnesses.ts";
import { runWorkers } from "./workers.ts";

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** How many clients come and go at once, beside the witnesses and the trouble. */
  readonly crowd: number;
  /** Told of each sample, and of each fault as it happens. */
  readonly onSample?: (sample: Sample) => void;
  readonly onFault?: (what: string) => void;
}

/** What a soak has found. It is passed when there are no faults and nothing grows. */
export interface Outcome {
  readonly seed: number;
  readonly minutes: number;
  readonly baseS: number;
  readonly samples: readonly Sample[];
  readonly lives: readonly Life[];
  readonly findings: readonly Finding[];
  readonly faults: readonly string[];
  readonly faultCount: number;
  readonly counts: readonly (readonly [string, number])[];
  readonly rests: readonly [before: Rest, after: Rest];
  /** Of a core, on average while the load was on. */
  readonly cpuShare: { readonly hub: number; readonly load: number };
  readonly passed: boolean;
}

/** From here on what comes is compared: the tenth minute, in a short run the end of its first third. */
const BASE_LIMIT_S = 600;
const ROAMERS = 24;
/**
 * Where something has grown by the end, the load goes on for so much of its time: a leak grows on, while a garbage collector
 * that other work on the machine has held up is over it.
 */
const DOUBT_SHARE = 0.5;
/** The restarted hub has some two dozen lives, each of them long enough to fill its history. */
const LIVES = 24;
const LIFE_LIMIT_S = 60;

/**
 * Two hubs under a load of everything at once. The measured one lives through, so that its growth can be judged; the
 * other has a history file and is restarted all the time. Every choice is drawn from the seed; what the machine makes of
 * the order of events is not, so that the same seed is the same load and not the same run.
 */
export async function runSoak({ minutes, seed, crowd, onSample, onFault }: SoakOptions): Promise<Outcome> {
  const loadS = minutes * 60;
  const baseS = Math.min(BASE_LIMIT_S, loadS / 3);
  const faults = createFaults(onFault ?? (() => undefined));
  const counts = new Map<string, number>();
  const count = (what: string, by = 1): void => void counts.set(what, (counts.get(what) ?? 0) + by);
  await using folder = await createFolder();
  const auth = startAuthServer();
  await using hub = createHubProcess(measuredEnv(auth.url), (what) => faults.add(`measured hub: ${what}`));
  await using second = createHubProcess(restartedEnv(folder.file(HISTORY_FILE)), (what) =>
    faults.add(`restarted hub: ${what}`),
  );
  try {
    await hub.start();
    const measured = { url: hub.url, pid: hub.pid() };
    const before = await measureRest(hub.pid());
    const startMs = performance.now();
    const elapsedS = (): number => (performance.now() - startMs) / 1000;
    const over = new AbortController();
    const stage = { over: over.signal, count, fault: faults.add };
    const tides = createTides({ ...stage, url: hub.url, random: createRandom(seed) });
    const scene = (n: number): Scene => ({
      ...stage,
      url: hub.url,
      random: createRandom(seed + n),
      intensity: tides.intensity,
    });
    const lifeS = Math.min(LIFE_LIMIT_S, loadS / LIVES);
    const restarts = runRestarts({
      hub: second,
      scene: {
        ...scene(7),
        url: second.url,
        count: (what, by) => count(`restarted hub: ${what}`, by),
        fault: (what) => faults.add(`restarted hub: ${what}`),
      },
      folder,
      lifeS,
      elapsedS,
    });
    const cpuBefore = { hub: before.cpuS, load: process.cpuUsage() };
    const samples: Sample[] = [];
    const hasGrown = (): boolean => judgeGrowth(samples, baseS).some(({ isGrowth }) => isGrowth);
    const end = async (): Promise<void> => {
      await Bun.sleep(loadS * 1000);
      if (hasGrown()) {
        count("growth that was looked at for longer");
        await Bun.sleep(loadS * DOUBT_SHARE * 1000);
      }
      over.abort();
    };
    const [lives] = await Promise.all([
      restarts,
      end(),
      sampleAll(measured, scene(0), minutes, elapsedS, (sample) => {
        samples.push(sample);
        onSample?.(sample);
      }),
      runMeasured(scene, crowd),
      tides.run(),
    ]);
    const lastedS = samples.at(-1)?.atS ?? loadS;
    const load = process.cpuUsage(cpuBefore.load);
    const cpuShare = {
      hub: ((samples.at(-1)?.cpuS ?? 0) - cpuBefore.hub) / lastedS,
      load: (load.user + load.system) / 1_000_000 / lastedS,
    };

    const { rest: after, left } = await returnToRest(measured, before);
    const { missing, counters } = await readCoverage(hub);
    const isWhole = minutes >= WHOLE_MINUTES;
    for (const what of left) faults.add(what);
    for (const series of isWhole ? missing : []) faults.add(`the load never caused ${series}`);
    for (const what of findExcess(samples, counts.get(KEYS_USED) ?? 0)) faults.add(what);
    const exitCode = await hub.end("SIGTERM");
    if (exitCode !== 0) faults.add(`after SIGTERM the measured hub ended with ${exitCode}`);
    const findings = [...judgeGrowth(samples, baseS), ...judgeLives(lives, baseS)];
    const passed = faults.total() === 0 && findings.every(({ isGrowth }) => !isGrowth);
    return {
      seed,
      minutes,
      baseS,
      samples,
      lives,
      findings,
      faults: faults.list,
      faultCount: faults.total(),
      counts: [...[...counts].toSorted(), ...counters],
      rests: [before, after],
      cpuShare,
      passed,
    };
  } finally {
    await auth.stop();
  }
}

/** In a shorter run not all that the load can cause does happen. */
const WHOLE_MINUTES = 3;

/** The measured hub's cast. Resolves when all of it has gone. */
async function runMeasured(scene: (n: number) => Scene, crowd: number): Promise<void> {
  const line = createLine();
  const { fault, count } = scene(0);
  const receipts = createReceipts(line, fault);
  const commands = createCommandLedger({ scene: scene(1), meanPauseMs: 400, mustArrive: false });
  // The witnesses stay until they have seen everything.
  const seen = new AbortController();
  const watching = { ...scene(2), over: seen.signal };
  const witnesses = await startWitnesses({
    scene: watching,
    line,
    receipts,
    kept: KEPT,
    isRestarted: false,
    roamers: ROAMERS,
  });
  await Promise.all([
    runPublishers(scene(3), receipts),
    runWorkers({ scene: scene(4), receipts, commands, workMs: 4_000 }),
    runCrowd(scene(5), crowd),
    runTrouble(scene(6)),
    commands.run(),
  ]);
  await receipts.settled();
  await commands.settle(COMMAND_TTL_MS + 60_000).catch((error) => fault(error.message));
  seen.abort();
  await witnesses.gone;
  count("acknowledged messages that the witnesses saw", receipts.kept());
  count("messages of the stream", line.length());
}

/** Looks at the measured hub every few seconds, as long as the load is on. */
async function sampleAll(
  hub: { readonly url: string; readonly pid: number },
  scene: Scene,
  minutes: number,
  elapsedS: () => number,
  onSample: (sample: Sample) => void,
): Promise<void> {
  const everyMs = minutes > 5 ? 5_000 : 2_000;
  while (!scene.over.aborted) {
    await pause(scene, everyMs);
    if (scene.over.aborted) break;
    try {
      onSample(await takeSample(hub, elapsedS()));
    } catch (error) {
      scene.fault(`a sample: ${error instanceof Error ? error.message : error}`);
    }
  }
}
