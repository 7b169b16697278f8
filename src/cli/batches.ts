/** One message of the input, and the line or argument it stands in, counted from 1. */
export interface InputMessage {
  readonly text: string;
  readonly number: number;
}

/** Messages that are published together. */
export type Batch = readonly InputMessage[];

/** Well below what a hub takes (10,000 messages, MAX_BATCH_BYTES), so that no batch holds up the live stream. */
export const BATCH_MESSAGES = 1_000;
export const BATCH_BYTES = 1_048_576;

/** Gathers messages. Where a batch ends depends on them alone, so that a repeated input gives the same batches. */
export interface Batcher {
  /** @returns the batch before this message, where it does not fit into that any more */
  add(message: InputMessage): Batch | undefined;
  /** What has been gathered; undefined where that is nothing. */
  take(): Batch | undefined;
}

export function createBatcher(): Batcher {
  let messages: InputMessage[] = [];
  let byteCount = 0;

  const take = (): Batch | undefined => {
    if (messages.length === 0) return undefined;
    const batch = messages;
    messages = [];
    byteCount = 0;
    return batch;
  };
  return {
    add(message) {
      const messageBytes = Buffer.byteLength(message.text) + 1;
      const isFull = messages.length === BATCH_MESSAGES || byteCount + messageBytes > BATCH_BYTES;
      const full = isFull ? take() : undefined;
      messages.push(message);
      byteCount += messageBytes;
      return full;
    },
    take,
  };
}
