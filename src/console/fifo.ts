/** A queue whose items can be reached by their place. Nothing of what was shifted out is kept. */
export interface Fifo<T> {
  readonly length: number;
  /** The item `index` places from the oldest. */
  at(index: number): T | undefined;
  push(item: T): void;
  shift(): T | undefined;
  clear(): void;
}

/** So many empty places at the front are tolerated before the items move up: moving them at each shift would cost much. */
const SLACK = 1024;

export function createFifo<T>(): Fifo<T> {
  let items: (T | undefined)[] = [];
  let head = 0;
  return {
    get length() {
      return items.length - head;
    },
    at: (index) => (index < 0 ? undefined : items[head + index]),
    push: (item) => void items.push(item),
    shift() {
      const item = items[head];
      if (head === items.length) return undefined;
      items[head] = undefined;
      head += 1;
      if (head >= SLACK && head * 2 >= items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    clear() {
      items = [];
      head = 0;
    },
  };
}
