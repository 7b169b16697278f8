import { createHash } from "node:crypto";
import type { Backplane, Key, Published } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Source } from "../observe/metrics.ts";
import { createConflationKeys } from "../protocol/conflation.ts";

/** A message that has been read: what it is, and its text. */
export interface Message {
  readonly text: string;
  readonly type: string | undefined;
  readonly value: Readonly<Record<string, unknown>>;
}

/** How messages that have been read enter the stream. */
export interface Publisher {
  /**
   * Publishes without a receipt, as raw-framed workers do.
   * @param worker the token of the worker that sent it
   */
  forward(message: Message, source: Source, worker?: string): void;
  /** The same, and calls `done` with what became of it, in the order of the stream. */
  publishFor(
    worker: string,
    message: Message,
    key: string | undefined,
    done: (result: Published) => void,
  ): void;
  /**
   * Publishes all or none and resolves once all are in the history. A repeat under the same key gets the first answer.
   * @param key an idempotency key (PROTOCOL.md, section 4)
   */
  publish(messages: readonly Message[], source: Source, key?: string): Promise<Published>;
}

export function createPublisher(
  config: Pick<Config, "CONFLATE">,
  backplane: Pick<Backplane, "append">,
): Publisher {
  const conflationKey = createConflationKeys(config.CONFLATE);
  const fresh = ({ text, type, value }: Message) => ({
    text,
    type,
    conflationKey: conflationKey(type, value),
  });
  return {
    forward(message, source, worker) {
      backplane.append({ messages: [fresh(message)], source, worker, key: undefined, done: undefined });
    },
    publishFor(worker, message, key, done) {
      const messages = [fresh(message)];
      const named = key === undefined ? undefined : keyOf("publish", key, messages);
      backplane.append({ messages, source: "worker", worker, key: named, done });
    },
    publish(messages, source, key) {
      const { promise, resolve } = Promise.withResolvers<Published>();
      backplane.append({
        messages: messages.map(fresh),
        source,
        worker: undefined,
        key: key === undefined ? undefined : keyOf("publish", key, messages),
        done: resolve,
      });
      return promise;
    },
  };
}

/** With a digest of the texts, so that another request under the same key is noticed. */
export function keyOf(
  kind: "publish" | "command",
  key: string,
  messages: readonly Pick<Message, "text">[],
): Key {
  const hash = createHash("sha256").update(kind);
  for (const { text } of messages) hash.update("\n").update(text);
  return { key, digest: hash.digest("base64url") };
}
