/** The bystander's process: it does nothing else, so that its own work delays nothing that it times. */
import { type Bystander, type BystanderOptions, connectBystander } from "./bystander.ts";
import { serve } from "./remote.ts";

let bystander: Bystander | undefined;

function connected(): Bystander {
  if (bystander === undefined) throw new Error("not connected");
  return bystander;
}

const handlers = {
  async connect(options: BystanderOptions): Promise<void> {
    bystander = await connectBystander(options);
  },
  publishAtOnce: async (messages: number) => await connected().publishAtOnce(messages),
  startPace: async (perSecond: number) => await Promise.resolve(connected().startPace(perSecond)),
  stopPace: async (_nothing: undefined) => await connected().stopPace(),
};

export type BystanderProcess = typeof handlers;

serve(handlers);
