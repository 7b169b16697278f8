import { brief, nameOf } from "./ledger.ts";

/** One delivery of a command to the worker. */
export interface Delivery {
  readonly id: string;
  readonly attempt: number;
  readonly text: string;
}

/** What was asked of the worker, and what reached it. Throws at the first contradiction. */
export interface CommandLedger {
  /** To be told before a command is sent for the first time. */
  offered(name: string, text: string): void;
  /** The hub has answered 202 with this id. */
  accepted(name: string, id: string): void;
  /** @returns the name of the command */
  delivered(delivery: Delivery): string;
  /** The ids of the accepted by name. */
  readonly ids: ReadonlyMap<string, string>;
  /** How often the accepted and delivered were sent to the worker at least, by name. */
  readonly attempts: ReadonlyMap<string, number>;
}

export function createCommandLedger(): CommandLedger {
  const texts = new Map<string, string>();
  const ids = new Map<string, string>();
  const deliveries = new Map<string, Delivery>();
  const attempts = new Map<string, number>();

  /** One key, one command: two ids for one name are two executions. */
  const checkId = (name: string, id: string): void => {
    const known = ids.get(name) ?? deliveries.get(name)?.id;
    if (known !== undefined && known !== id)
      throw new Error(`the command ${name} became two: ${known} and ${id}`);
  };

  return {
    offered: (name, text) => void texts.set(name, text),
    accepted(name, id) {
      checkId(name, id);
      ids.set(name, id);
    },
    delivered(delivery) {
      const { id, attempt, text } = delivery;
      const name = nameOf(JSON.parse(text));
      if (texts.get(name) !== text)
        throw new Error(`the command ${name} was delivered as ${brief(text)}, which is not what was sent`);
      checkId(name, id);
      const earlier = deliveries.get(name);
      if (earlier !== undefined && attempt <= earlier.attempt) {
        throw new Error(
          `the command ${name} was delivered as attempt ${earlier.attempt}, and later as ${attempt}`,
        );
      }
      deliveries.set(name, delivery);
      attempts.set(name, attempt);
      return name;
    },
    ids,
    attempts,
  };
}
