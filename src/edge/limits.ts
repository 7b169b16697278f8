import { createFailureLimiter, type Failure } from "../auth/failures.ts";
import type { Config } from "../config/schema.ts";
import type { Runtime } from "../runtime.ts";
import { createPlaces, type Place } from "./places.ts";

/** The limits that count the whole process, however many threads it has. */
export interface Limits {
  /** Takes a place for a client from this address. */
  take(address: string): Place;
  /** Counts a wrong secret from this address. */
  failure(address: string): Failure;
}

/** MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS and WRONG_SECRETS_PER_MINUTE, counted here. */
export function createLimits(
  config: Pick<Config, "MAX_CONNECTIONS" | "MAX_CONNECTIONS_PER_ADDRESS" | "WRONG_SECRETS_PER_MINUTE">,
  runtime: Pick<Runtime, "monotonicMs">,
): Limits {
  const places = createPlaces(config.MAX_CONNECTIONS, config.MAX_CONNECTIONS_PER_ADDRESS);
  const failures = createFailureLimiter(runtime, config.WRONG_SECRETS_PER_MINUTE);
  return { take: places.take, failure: failures.count };
}
