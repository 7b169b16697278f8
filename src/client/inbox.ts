/** How much may wait for a reader. */
export interface InboxLimits {
  readonly messages: number;
  readonly chars: number;
}

/** What has come and not been read yet, between a connection that pushes and one loop that pulls. */
export interface Inbox<T> {
  push(item: T, chars: number): void;
  /** Nothing more comes: what is left can still be read, then the reader is told. */
  end(error: Error | undefined): void;
  clear(): void;
  isEmpty(): boolean;
  isFull(): boolean;
  /** Is it time to go on reading? */
  hasRoom(): boolean;
  /** The oldest item, as soon as there is one; undefined at the end. One reader at a time. */
  next(): Promise<T | undefined>;
}

export function createInbox<T>(limits: InboxLimits): Inbox<T> {
  let items: { readonly item: T; readonly chars: number }[] = [];
  /** What of `items` has been read: shifting a long array for each message would cost its length. */
  let first = 0;
  let chars = 0;
  let reader: PromiseWithResolvers<T | undefined> | undefined;
  let ending: { readonly error: Error | undefined } | undefined;

  const count = (): number => items.length - first;
  const take = (): T | undefined => {
    const taken = items[first];
    if (taken === undefined) return undefined;
    first += 1;
    chars -= taken.chars;
    if (first === items.length || first >= 1_024) {
      items = items.slice(first);
      first = 0;
    }
    return taken.item;
  };

  return {
    push(item, itemChars) {
      if (ending !== undefined) return;
      if (reader !== undefined) {
        const { resolve } = reader;
        reader = undefined;
        resolve(item);
        return;
      }
      items.push({ item, chars: itemChars });
      chars += itemChars;
    },
    end(error) {
      ending ??= { error };
      if (reader === undefined) return;
      const { resolve, reject } = reader;
      reader = undefined;
      if (error === undefined) resolve(undefined);
      else reject(error);
    },
    clear() {
      items = [];
      first = 0;
      chars = 0;
    },
    isEmpty: () => count() === 0,
    isFull: () => count() >= limits.messages || chars >= limits.chars,
    hasRoom: () => count() <= limits.messages / 2 && chars <= limits.chars / 2,
    next() {
      if (count() > 0) return Promise.resolve(take());
      if (ending !== undefined)
        return ending.error === undefined ? Promise.resolve(undefined) : Promise.reject(ending.error);
      if (reader !== undefined) return Promise.reject(new TypeError("one reader at a time"));
      reader = createResolvers();
      return reader.promise;
    },
  };
}

/** `Promise.withResolvers`, which browsers before 2024 and Node before 22 do not have. */
export function createResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: PromiseWithResolvers<T>["resolve"] = () => undefined;
  let reject: PromiseWithResolvers<T>["reject"] = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
