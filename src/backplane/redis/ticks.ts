import type { Cancel, Runtime } from "../../runtime.ts";
import type { Lease } from "./members.ts";
import type { Done, Operation } from "./operation.ts";
import type { RedisConfig } from "./settings.ts";

/** What each node does again and again: it renews its leases, and ends what is over, for all nodes. */
export interface Ticks {
  /** Something is due so much later, by Redis' clock. */
  dueIn(delayMs: number): void;
  stop(): void;
}

export interface TicksOptions {
  readonly config: Pick<RedisConfig, "WORKER_LEASE_MS" | "COMMAND_TTL_MS">;
  readonly runtime: Runtime;
  readonly isUp: () => boolean;
  readonly submit: (operation: Operation) => void;
  readonly firstOffset: () => number;
  readonly lastOffset: () => number;
  readonly leases: () => readonly Lease[];
  /** Runs with every tick, also while Redis is away. */
  readonly review: () => void;
  /** @param lastOffset how far this node was when the tick was asked for */
  readonly ticked: (result: Done, leases: readonly Lease[], lastOffset: number) => void;
}

const INTERVAL_LIMIT_MS = 1_000;

export function createTicks(options: TicksOptions): Ticks {
  const { config, runtime, isUp, submit } = options;
  const intervalMs = Math.min(
    INTERVAL_LIMIT_MS,
    Math.ceil(config.WORKER_LEASE_MS / 4),
    Math.ceil(config.COMMAND_TTL_MS / 4),
  );
  let isUnderWay = false;
  let cancelDue: Cancel | undefined;
  // As of the tick before: a node that is a little behind must not find gone what this one has let go just now.
  let firstOffset = options.firstOffset();

  const tick = (): void => {
    options.review();
    if (!isUp() || isUnderWay) return;
    isUnderWay = true;
    const leases = options.leases();
    const lastOffset = options.lastOffset();
    const args = ["tick", String(firstOffset), String(leases.length)];
    firstOffset = options.firstOffset();
    for (const { token, lastSeenAtMs } of leases) args.push(token, String(lastSeenAtMs));
    submit({
      args,
      messages: 0,
      done(result) {
        isUnderWay = false;
        if (result.ok) options.ticked(result, leases, lastOffset);
      },
    });
  };
  const stop = runtime.every(intervalMs, tick);

  return {
    dueIn(delayMs) {
      // An ordinary tick may come first.
      cancelDue?.();
      cancelDue = runtime.after(Math.max(1, delayMs), tick);
    },
    stop() {
      stop();
      cancelDue?.();
    },
  };
}
