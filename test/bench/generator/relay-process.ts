/** The relay's process. */
import { connectRelay, type Relay, type RelayOptions, type RelayRound } from "./relay.ts";
import { serve } from "./remote.ts";

let relay: Relay | undefined;

const handlers = {
  async connect(options: RelayOptions): Promise<void> {
    relay = await connectRelay(options);
  },
  run(load: { inFlight: number; durationMs: number }): Promise<RelayRound> {
    if (relay === undefined) return Promise.reject(new Error("run before connect"));
    return relay.run(load);
  },
};

export type RelayProcess = typeof handlers;

serve(handlers);
