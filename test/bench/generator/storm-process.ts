/** The storm's process. */
import { serve } from "./remote.ts";
import { type Storm, type StormOptions, type StormResult, startStorm } from "./storm.ts";

let storm: Storm | undefined;

const handlers = {
  async start(options: StormOptions): Promise<StormResult> {
    storm = await startStorm(options);
    return storm.result;
  },
  async finish(next: number): Promise<void> {
    await storm?.finish(next);
  },
};

export type StormProcess = typeof handlers;

serve(handlers);
