/**
 * Lets workers wait who send faster than the hub can take: what they have sent and nobody has answered yet is bounded for
 * each of them, by not reading from it for a while. So nothing of it is lost, and TCP tells the worker.
 */
export interface Holds {
  /** The worker has sent a message, with so many bytes. */
  sent(token: string, messages: number, bytes: number): void;
  /** It has been answered. */
  answered(token: string, messages: number, bytes: number): void;
}

/** What may be unanswered before a worker is held. What has been read already comes on top. */
export const HOLD_MESSAGES = 4_096;
export const HOLD_BYTES = 4_194_304;

interface Unanswered {
  messages: number;
  bytes: number;
  isHeld: boolean;
}

/** @param hold called when a worker is to be held, and when it may go on: once half of the bound is free */
export function createHolds(hold: (token: string, isHeld: boolean) => void): Holds {
  const workers = new Map<string, Unanswered>();
  return {
    sent(token, messages, bytes) {
      const worker = workers.get(token) ?? { messages: 0, bytes: 0, isHeld: false };
      workers.set(token, worker);
      worker.messages += messages;
      worker.bytes += bytes;
      if (worker.isHeld || (worker.messages <= HOLD_MESSAGES && worker.bytes <= HOLD_BYTES)) return;
      worker.isHeld = true;
      hold(token, true);
    },
    answered(token, messages, bytes) {
      const worker = workers.get(token);
      if (worker === undefined) return;
      worker.messages -= messages;
      worker.bytes -= bytes;
      if (worker.messages === 0) workers.delete(token);
      if (!worker.isHeld || worker.messages > HOLD_MESSAGES / 2 || worker.bytes > HOLD_BYTES / 2) return;
      worker.isHeld = false;
      hold(token, false);
    },
  };
}
