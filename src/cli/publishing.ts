import type { Runtime } from "../runtime.ts";
import type { Batch } from "./batches.ts";
import { problemCode, refusalOf, unreachable } from "./call.ts";
import { createPersistent } from "./persist.ts";
import { refusedSecret, type Secret, secretHeader } from "./secret.ts";
import type { Target } from "./target.ts";
import type { Terminal } from "./terminal.ts";

/** A batch may have to wait for a window of conflation, and for a slow disk. */
const ANSWER_LIMIT_MS = 30_000;

export interface PublishingOptions {
  readonly target: Target;
  readonly secret: Secret;
  readonly keyPrefix: string;
  readonly runtime: Runtime;
  readonly say: Terminal["say"];
  /** Gets the hub's answer to each request, in the order of the messages. */
  readonly receipt: (json: string) => void;
}

export interface Publishing {
  /** @returns false when that failed, which has been said */
  publish(batch: Batch): Promise<boolean>;
  /** How much has been published, as a clause. */
  soFar(): string;
}

/** Publishes one batch after the other. The key of a batch is its number, so that nothing can be published twice. */
export function createPublishing(options: PublishingOptions): Publishing {
  const { target, secret, keyPrefix, runtime, say, receipt } = options;
  const hub = createPersistent(target, runtime, (why) => say(`${target.shown}: ${why}; trying again`));
  let batches = 0;
  let published = 0;

  const soFar = (): string =>
    published === 0 ? "nothing has been published" : `the first ${published} messages have been published`;

  const send = async (batch: Batch, key: string): Promise<boolean> => {
    const answer = await hub.call(
      {
        method: "POST",
        path: "/api/v1/publish",
        headers: {
          ...secretHeader(secret),
          "content-type": "application/x-ndjson",
          "idempotency-key": key,
        },
        body: batch.map(({ text }) => `${text}\n`).join(""),
        limitMs: ANSWER_LIMIT_MS,
      },
      (refused) => problemCode(refused) === "key_mismatch",
    );
    if (!answer.ok) {
      say(`${unreachable(target, answer)}${published === 0 ? "" : `; ${soFar()}`}`);
      return false;
    }
    if (answer.status === 202) {
      published += batch.length;
      receipt(answer.body);
      return true;
    }
    // A hub may have been told to take less. How a batch is divided depends on that hub alone: a repeat divides it alike.
    if (answer.status === 413 && batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      return (await send(batch.slice(0, middle), `${key}a`)) && (await send(batch.slice(middle), `${key}b`));
    }
    say(
      answer.status === 401
        ? `${target.shown} ${refusedSecret(secret)}`
        : `${target.shown} ${refusalOf(answer)} (${whereOf(batch)}); ${soFar()}`,
    );
    return false;
  };

  return {
    publish(batch) {
      batches += 1;
      return send(batch, `${keyPrefix}-${batches}`);
    },
    soFar,
  };
}

function whereOf(batch: Batch): string {
  const first = batch[0]?.number;
  const last = batch.at(-1)?.number;
  return first === last ? `message ${first}` : `messages ${first} to ${last}`;
}
