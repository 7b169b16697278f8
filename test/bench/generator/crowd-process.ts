/** Subscribers that only receive and check what they get, in a process of their own. */
import type { Wire } from "./receiver.ts";
import { serve } from "./remote.ts";
import { connectSubscribers, type Subscribers } from "./subscribers.ts";

/** An open loop has no bound of its own; a server that is so far behind is overloaded. */
const MAX_IN_FLIGHT = 2 ** 18;
const LOST_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 10;

const groups: Subscribers[] = [];
let failure: Error | undefined;

async function connect(options: { url: string; wire: Wire; count: number }): Promise<void> {
  const group = await connectSubscribers({
    ...options,
    maxInFlight: MAX_IN_FLIGHT,
    onDelivered: () => undefined,
    onFailure: (error) => {
      failure ??= error;
    },
  });
  groups.push(group);
}

/** Resolves once every subscriber has received exactly `messages` since it connected. */
async function finish(messages: number): Promise<void> {
  const endMs = performance.now() + LOST_AFTER_MS;
  while (true) {
    if (failure !== undefined) throw failure;
    try {
      for (const group of groups) group.assertReceived(messages);
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

const handlers = { connect, finish };

export type CrowdProcess = typeof handlers;

serve(handlers);
