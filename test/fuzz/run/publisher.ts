import { within } from "../../support/deadline.ts";
import { SECRET } from "../../support/hub.ts";
import type { Acknowledged } from "./connection.ts";

/** A backend in good order that publishes one numbered message after the other. */
export interface Publisher {
  /** How its messages begin: their number follows. */
  readonly prefix: string;
  /** Publishes one message and returns its number; fails unless it is acknowledged. */
  publish(): Promise<number>;
  /** Publishes at this pace until `pause`. */
  start(intervalMs: number): void;
  /** Resolves when the last message is acknowledged. */
  pause(): Promise<void>;
  /** What was acknowledged since the last call. */
  takeAcknowledged(): Acknowledged[];
}

export function createPublisher(url: string, onFault: (fault: string) => void): Publisher {
  const prefix = `{"type":"FUZZ_WITNESS","run":"${crypto.randomUUID()}","seq":`;
  let sequence = 0;
  let acknowledged: Acknowledged[] = [];
  let running: Promise<void> | undefined;
  let isPaused = true;

  const post = async (body: string, key: string): Promise<string> => {
    const response = await fetch(`${url}/api/v1/publish`, {
      method: "POST",
      headers: { "x-worker-secret": SECRET, "content-type": "application/json", "idempotency-key": key },
      body,
    });
    const answer = await response.text();
    if (response.status !== 202) throw new Error(`the publisher was answered ${response.status} ${answer}`);
    return JSON.parse(answer).ids[0];
  };
  const publish = async (): Promise<number> => {
    const mine = sequence++;
    const text = `${prefix}${mine}}`;
    const key = crypto.randomUUID();
    const id = await within(post(text, key), `the receipt of the publisher's message ${mine}`);
    // The same again under the same key changes nothing.
    if (mine % 8 === 0) {
      const again = await within(post(text, key), `the second receipt of message ${mine}`);
      if (again !== id) throw new Error(`message ${mine} is at ${id} and, after a repeat, at ${again}`);
    }
    acknowledged.push({ id, text });
    return mine;
  };

  return {
    prefix,
    publish,
    start(intervalMs) {
      isPaused = false;
      const run = async (): Promise<void> => {
        while (!isPaused) {
          await publish();
          await Bun.sleep(intervalMs);
        }
      };
      running = run().catch((error) => onFault(String(error)));
    },
    async pause() {
      isPaused = true;
      await running;
    },
    takeAcknowledged() {
      const taken = acknowledged;
      acknowledged = [];
      return taken;
    },
  };
}
