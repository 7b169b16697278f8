import type { Random } from "../support/random.ts";

/** What all actors of one hub share: where it is, whether the play goes on, and whom to tell. */
export interface Scene {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  readonly random: Random;
  /** How long the load goes on; aborted at its end. */
  readonly over: AbortSignal;
  /** 0 in a lull, 1 in ordinary times, more in a burst. */
  readonly intensity: () => number;
  /** Something that must not happen. */
  readonly fault: (what: string) => void;
  /** Counts what did happen, for the report. */
  readonly count: (what: string, by?: number) => void;
}

/** Waits, but not longer than the play goes on. */
export function pause(scene: Pick<Scene, "over">, ms: number): Promise<void> {
  if (scene.over.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    clearTimeout(timer);
    scene.over.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  scene.over.addEventListener("abort", done);
  return promise;
}

/** Does something again and again until the play is over. What it throws is a fault, and it goes on. */
export async function repeat(
  scene: Scene,
  what: string,
  pauseMs: () => number,
  act: () => Promise<void> | void,
): Promise<void> {
  while (!scene.over.aborted) {
    await pause(scene, pauseMs());
    if (scene.over.aborted) return;
    try {
      await act();
    } catch (error) {
      scene.fault(`${what}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** A duration around `meanMs`: from half of it to one and a half. */
export function about(random: Random, meanMs: number): number {
  return meanMs / 2 + random.below(meanMs);
}
