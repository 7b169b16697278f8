import { within } from "./deadline.ts";

/** A queue between an event handler that pushes and a test that awaits. */
export interface Queue<T> {
  push(item: T): void;
  /** Nothing more will come; waiting readers fail with `reason`. */
  end(reason: string): void;
  /** The oldest item, as soon as there is one; fails at the end of the queue and at the deadline. */
  next(what: string): Promise<T>;
}

export function createQueue<T>(): Queue<T> {
  const items: T[] = [];
  const readers: PromiseWithResolvers<T>[] = [];
  let ended: string | undefined;

  return {
    push(item) {
      const reader = readers.shift();
      if (reader === undefined) items.push(item);
      else reader.resolve(item);
    },
    end(reason) {
      ended ??= reason;
      for (const reader of readers.splice(0)) reader.reject(new Error(ended));
    },
    next(what) {
      const [item] = items.splice(0, 1);
      if (item !== undefined) return Promise.resolve(item);
      if (ended !== undefined) return Promise.reject(new Error(`${what}: ${ended}`));
      const reader = Promise.withResolvers<T>();
      readers.push(reader);
      return within(reader.promise, what);
    },
  };
}
