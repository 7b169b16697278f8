/** The probe's process: it does nothing else, so that its own work delays nothing that it times. */
import { connectProbe, type Pace, type PaceResult, type Probe, type ProbeOptions } from "./probe.ts";
import { serve } from "./remote.ts";

let probe: Probe | undefined;

function connected(): Probe {
  if (probe === undefined) throw new Error("not connected");
  return probe;
}

const handlers = {
  async connect(options: ProbeOptions): Promise<void> {
    probe = await connectProbe(options);
  },
  addWitness: async (at: string | undefined): Promise<void> => await connected().addWitness(at),
  run: async (pace: Pace): Promise<PaceResult> => await connected().run(pace),
};

export type ProbeProcess = typeof handlers;

serve(handlers);
