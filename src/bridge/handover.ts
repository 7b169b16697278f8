export interface HandoverOptions<Item> {
  readonly publish: (item: Item) => void;
  /** The size of an item, in bytes. */
  readonly sizeOf: (item: Item) => number;
  /** With more than this held back the handover ends at once. */
  readonly heldLimitBytes: number;
  /** Called once, when everything of the old connection is published and only the new one counts. */
  readonly done: () => void;
}

/**
 * Passes the stream from one connection to another that is sent the same broadcasts, so that none is missing and none
 * comes twice: the old one counts up to a marker that both are sent, the new one from there on.
 */
export interface Handover<Item> {
  fromOld(item: Item): void;
  fromNew(item: Item): void;
  markerOnOld(): void;
  markerOnNew(): void;
  /** Does not wait for the marker any longer. */
  finish(): void;
}

export function createHandover<Item>(options: HandoverOptions<Item>): Handover<Item> {
  let oldIsThrough = false;
  let newIsThrough = false;
  let isDone = false;
  /** What came behind the marker on the new connection, while the old one is not that far. */
  let held: Item[] = [];
  let heldBytes = 0;

  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    const items = held;
    held = [];
    for (const item of items) options.publish(item);
    options.done();
  };
  const settle = (): void => {
    if (oldIsThrough && newIsThrough) finish();
  };

  return {
    fromOld(item) {
      if (!oldIsThrough && !isDone) options.publish(item);
    },
    fromNew(item) {
      if (isDone) {
        options.publish(item);
      } else if (newIsThrough) {
        held.push(item);
        heldBytes += options.sizeOf(item);
        if (heldBytes > options.heldLimitBytes) finish();
      }
    },
    markerOnOld() {
      oldIsThrough = true;
      settle();
    },
    markerOnNew() {
      newIsThrough = true;
      settle();
    },
    finish,
  };
}
