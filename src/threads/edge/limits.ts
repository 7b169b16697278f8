import type { Config } from "../../config/schema.ts";
import type { Limits } from "../../edge/limits.ts";
import type { Outbox } from "../wire/batch.ts";
import type { Hotline } from "../wire/hotline.ts";
import type { Tally } from "../wire/tally.ts";
import type { ToCore } from "../wire/to-core.ts";

type LimitsConfig = Pick<
  Config,
  "MAX_CONNECTIONS" | "MAX_CONNECTIONS_PER_ADDRESS" | "WRONG_SECRETS_PER_MINUTE"
>;

/** The limits of the whole process: all clients are counted in shared memory, by address they are counted in the core. */
export function createRemoteLimits(
  config: LimitsConfig,
  tally: Tally,
  hotline: Hotline,
  outbox: Pick<Outbox<ToCore>, "say">,
): Limits {
  const { MAX_CONNECTIONS: limit, MAX_CONNECTIONS_PER_ADDRESS: limitPerAddress } = config;
  return {
    take(address) {
      if (limit > 0 && !tally.take(limit)) return { ok: false, reason: "capacity" };
      if (limitPerAddress > 0) {
        const [isTaken] = hotline.call("take", address) ?? [0];
        if (isTaken === 0) {
          if (limit > 0) tally.leave();
          return { ok: false, reason: "address_capacity" };
        }
      }
      let hasLeft = false;
      const leave = (): void => {
        if (hasLeft) return;
        hasLeft = true;
        if (limit > 0) tally.leave();
        if (limitPerAddress > 0) outbox.say({ op: "free", address });
      };
      return { ok: true, leave };
    },
    failure(address) {
      if (config.WRONG_SECRETS_PER_MINUTE === 0) return { retryAfterS: 0, crossed: false };
      const [retryAfterS, crossed] = hotline.call("failure", address) ?? [0, 0];
      return { retryAfterS, crossed: crossed === 1 };
    },
  };
}
