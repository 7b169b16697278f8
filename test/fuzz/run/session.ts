import type { Case } from "../case.ts";
import { type Acknowledged, runCase } from "./connection.ts";
import { watchMemory } from "./memory.ts";
import { createPublisher } from "./publisher.ts";
import { MemoryFault, settle } from "./settle.ts";
import { startTarget, type Target } from "./target.ts";
import { joinWitness, WITNESS_KINDS, type Witness } from "./witness.ts";

/** A case and what it is called: its number, or its name in the corpus. */
export interface Named {
  readonly name: string;
  readonly one: Case;
}

export interface Failure {
  readonly fault: string;
  /** Who may be to blame, the likeliest first. Empty where no single case can be. */
  readonly suspects: readonly string[];
  /** The end of the hub's log. */
  readonly log: string;
}

export interface Progress {
  readonly episodes: number;
  readonly cases: number;
  readonly residentBytes: number;
}

export interface SessionOptions {
  readonly command: readonly string[];
  /** Decides the hub's settings. */
  readonly seed: number;
  /** The next case, or undefined at the end of the run. */
  readonly next: () => Named | undefined;
  /** How long may be waited at an episode's end for what must become true. */
  readonly settleMs: number;
  readonly onEpisode?: (progress: Progress) => void;
}

export const EPISODE_CASES = 200;
/** Connections that do something at once. Few: the hub and its witnesses share the machine with them. */
const LANES = 8;
/** Connections that are kept to the end of an episode; beyond that the oldest has to go. */
const HELD_LIMIT = 32;
const PUBLISH_INTERVAL_MS = 4;
/** After a first fault: until what followed from it is known as well. */
const AFTERMATH_MS = 300;
const FAULTS_LIMIT = 5;

/** Runs cases against a hub of its own, in episodes. @returns how far it came, and what broke */
export async function runSession(options: SessionOptions): Promise<Progress & { failure?: Failure }> {
  const faults: string[] = [];
  const blamed: string[] = [];
  const fault = (text: string, name?: string): void => {
    if (faults.length < FAULTS_LIMIT) faults.push(name === undefined ? text : `case ${name}: ${text}`);
    if (name !== undefined) blamed.push(name);
  };
  await using target = await startTarget({
    command: options.command,
    seed: options.seed,
    onFault: fault,
    // Foremost: every other fault may follow from it.
    onEnd: (text) => void faults.unshift(text),
  });
  const progress = { episodes: 0, cases: 0, residentBytes: 0 };
  const episode: string[] = [];
  const active = new Set<string>();
  let isMemory = false;
  let isStarved = false;
  const witnesses: Witness[] = [];
  try {
    const publisher = createPublisher(target.url, fault);
    for (const kind of WITNESS_KINDS) {
      witnesses.push(await joinWitness(kind, { url: target.url, prefix: publisher.prefix, onFault: fault }));
    }
    const memory = watchMemory(target.pid, witnesses.length);
    const [epoch = ""] = witnesses[0]?.cursor.split("-") ?? [];
    while (faults.length === 0 && !isStarved) {
      episode.length = 0;
      const acknowledged: Acknowledged[] = [];
      const held: (() => Promise<void>)[] = [];
      publisher.start(PUBLISH_INTERVAL_MS);
      const lane = async (): Promise<void> => {
        while (faults.length === 0 && episode.length < EPISODE_CASES) {
          const named = options.next();
          if (named === undefined) {
            isStarved = true;
            return;
          }
          const { name, one } = named;
          episode.push(name);
          active.add(name);
          try {
            const release = await runCase(one, {
              url: target.url,
              epoch,
              onAcknowledged: (receipt) => acknowledged.push(receipt),
              onProblem: (problem) => fault(problem, name),
            });
            if (release !== undefined) held.push(release);
            if (held.length > HELD_LIMIT) await held.shift()?.();
          } catch (error) {
            fault(String(error), name);
          }
          if (faults.length === 0) active.delete(name);
          progress.cases += 1;
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      await Promise.all(held.map((release) => release()));
      if (faults.length > 0) break;
      await settle({
        url: target.url,
        publisher,
        witnesses,
        acknowledged,
        memory,
        limitMs: options.settleMs,
      });
      progress.episodes += 1;
      progress.residentBytes = memory.residentBytes();
      options.onEpisode?.(progress);
    }
    if (faults.length === 0) await stopsWell(target, witnesses, fault);
  } catch (error) {
    isMemory = error instanceof MemoryFault;
    fault(error instanceof Error ? error.message : String(error));
  } finally {
    if (faults.length > 0) await Bun.sleep(AFTERMATH_MS);
    for (const witness of witnesses) await witness[Symbol.asyncDispose]();
  }
  if (faults.length === 0) return progress;
  const suspects = isMemory ? [] : [...new Set([...blamed, ...active, ...episode.toReversed()])];
  return { ...progress, failure: { fault: faults.join("\n"), suspects, log: target.tail() } };
}

/** After all of it a hub still stops as one should. */
async function stopsWell(target: Target, witnesses: Witness[], fault: (text: string) => void): Promise<void> {
  for (const witness of witnesses.splice(0)) await witness[Symbol.asyncDispose]();
  const code = await target.stop();
  if (code !== 0) fault(`after SIGTERM the hub ended with ${code}`);
}
