import { createFolder } from "../support/folder.ts";
import { startHub } from "../support/hub.ts";
import type { Random } from "../support/random.ts";
import { overSse, overWebSocket } from "../support/stream.ts";
import { MARK, TYPES } from "./messages.ts";
import { createCursorReceiver, createRawReceiver, type Receiver } from "./receiver.ts";
import { type Cast, startRun } from "./run.ts";
import { createTexts } from "./sources.ts";
import { createWitness } from "./witness.ts";

export interface EpisodeOptions {
  readonly random: Random;
  /** With one the stream goes on over restarts; without, each run has a stream of its own. */
  readonly hasHistoryFile: boolean;
  readonly historyMessages: number;
  readonly runs: number;
  readonly stepsPerRun: number;
}

const RECEIVERS = 24;
const STEPS_PER_FENCE = 100;

/**
 * Publishers over HTTP and on workers of both framings; receivers of all three kinds, with and without filters, that come,
 * go and resume; and a hub that is restarted now and then. Everything that anybody was told is held against one line.
 * @returns how many messages were published
 * @throws Error that says what is wrong
 */
export async function runEpisode(options: EpisodeOptions): Promise<number> {
  const { random, hasHistoryFile, historyMessages } = options;
  await using folder = await createFolder();
  const env = {
    WORKER_POLICY: "shared",
    HISTORY_MESSAGES: String(historyMessages),
    HEARTBEAT_INTERVAL_MS: "100",
    HISTORY_FILE: hasHistoryFile ? folder.file("history.db") : undefined,
  };
  const texts = createTexts();
  let isRestarting = false;
  const faults: unknown[] = [];
  const onFault = (fault: unknown): void => void (isRestarting || faults.push(fault));
  const receivers = createReceivers(random, texts.nextOp, onFault);
  let cast: Cast | undefined;

  for (let at = 0; at < options.runs; at++) {
    await using hub = await startHub({ env });
    if (cast === undefined || !hasHistoryFile) {
      const witness = createWitness(historyMessages);
      cast = { random, texts, witness, receivers, acknowledged: [], sources: [], onFault };
    }
    await cast.witness.connect(hub.url);
    isRestarting = false;
    const run = startRun(hub, `run${at}`, cast);
    for (let steps = 1; steps <= options.stepsPerRun; steps++) {
      await run.step();
      if (steps % STEPS_PER_FENCE === 0) await run.fence();
      if (faults.length > 0) throw faults[0];
    }
    await run.fence();

    isRestarting = true;
    // Without a file, what is on its way when the hub ends is in no history that anything could be held against.
    if (hasHistoryFile) run.burst();
    for (let turns = random.below(20); turns > 0; turns--) await Bun.sleep(0);
    hub.kill(random.pick(["SIGTERM", "SIGKILL"]));
    await hub.exited;
    await run.over();
  }
  return texts.nextOp();
}

function createReceivers(
  random: Random,
  nextOp: () => number,
  onFault: (fault: unknown) => void,
): readonly Receiver[] {
  return Array.from({ length: RECEIVERS }, (_, n) => {
    const filter = n % 2 === 0 ? undefined : [MARK, ...TYPES.filter(() => random.below(2) === 0)];
    const about = { filter, random, onLost: onFault };
    if (n % 3 === 0) return createRawReceiver(nextOp, about);
    const [transport, isSse] = n % 3 === 1 ? ([overWebSocket, false] as const) : ([overSse, true] as const);
    return createCursorReceiver(transport, isSse, about);
  });
}
