import { type Answer, expectProblem, publish, receiptOf } from "../../support/api.ts";
import type { Hub } from "../../support/hub.ts";
import type { Seen } from "./follower.ts";

/** What became of an attempt to publish: a cursor, or a refusal and whether the hub knows that nothing of it was kept. */
interface Outcome {
  readonly text: string;
  readonly cursor: string | undefined;
  readonly isUnknown: boolean;
}

/** What one test has tried to publish, and what the hubs have said to it. */
export interface Attempts {
  /** Tries once. @returns whether it was acknowledged; anything but a receipt or the problem `backplane` fails */
  publish(hub: Hub, text: string, key?: string): Promise<boolean>;
  /** Tries under one key, at one hub after the other, until it is acknowledged. */
  insist(hubs: readonly Hub[], text: string, key: string): Promise<void>;
  /**
   * @param seen what a client has seen that was there all the time
   * @throws Error unless all that was acknowledged stands there once, under its cursor, and nothing that was refused
   */
  check(seen: readonly Seen[]): void;
}

/** Between two tries. Only so that nobody spins. */
const PAUSE_MS = 5;

export function createAttempts(): Attempts {
  const outcomes: Outcome[] = [];

  const attempt = async (hub: Hub, text: string, key: string | undefined): Promise<Outcome> => {
    const answer = await publish(hub, text, key === undefined ? {} : { "idempotency-key": key });
    if (answer.status === 202) return { text, cursor: receiptOf(answer).ids[0], isUnknown: false };
    expectProblem(answer, 503, "backplane");
    return { text, cursor: undefined, isUnknown: saysUnknown(answer) };
  };

  return {
    async publish(hub, text, key) {
      const outcome = await attempt(hub, text, key);
      outcomes.push(outcome);
      return outcome.cursor !== undefined;
    },
    async insist(hubs, text, key) {
      for (let tries = 0; ; tries++) {
        const hub = hubs[tries % hubs.length];
        if (hub === undefined) throw new Error("nobody to publish at");
        const outcome = await attempt(hub, text, key);
        if (outcome.cursor !== undefined) {
          outcomes.push(outcome);
          return;
        }
        await Bun.sleep(PAUSE_MS);
      }
    },
    check(seen) {
      const places = new Map<string, string>();
      for (const { cursor, text } of seen) {
        const earlier = places.get(text);
        if (earlier !== undefined && !text.includes('"WORKER_STATUS"'))
          throw new Error(`${text} stands at ${earlier} and at ${cursor}`);
        places.set(text, cursor);
      }
      for (const { text, cursor, isUnknown } of outcomes) {
        const place = places.get(text);
        if (cursor !== undefined && place !== cursor)
          throw new Error(`${text} was acknowledged at ${cursor} and stands at ${place}`);
        if (cursor === undefined && !isUnknown && place !== undefined)
          throw new Error(`${text} was refused for certain, and stands at ${place}`);
      }
    },
  };
}

/** Where Redis gave no answer in time, nobody knows whether it has done what it was asked. */
function saysUnknown(answer: Answer): boolean {
  return /unknown/i.test(String(JSON.parse(answer.body).detail));
}

/** @throws Error with the first difference between what two clients have seen */
export function checkSameView(one: readonly Seen[], other: readonly Seen[]): void {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const [a, b] = [one[at], other[at]];
    if (a?.cursor === b?.cursor && a?.text === b?.text) continue;
    throw new Error(`place ${at} of ${one.length} and ${other.length}: ${JSON.stringify([a, b])}`);
  }
}
