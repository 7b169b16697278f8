/** A number in [0, 1), the same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One message, and the object it is about. */
type Scene = Generator<object, void>;

/** What a Vectra worker would publish, one message after the other, without end. */
export interface Play {
  next(): object;
  /** What a trigger asks for begins with the next message. @returns false when too much waits already */
  syncConnector(id: string): boolean;
  syncDocument(id: string): boolean;
}

const CONNECTORS = 4;
/** So many connectors and documents work side by side, … */
const RUNNING = 2;
/** … those that were asked for come on top, up to this many. */
const TRIGGERED_MAX = 100;

const FAILURES = [
  "the file is encrypted",
  "no text was found in the document",
  "the connection to the source was lost",
];

/** @param random decides everything, so that a seed gives the same play again */
export function createPlay(random: () => number): Play {
  const below = (limit: number): number => Math.floor(random() * limit);
  const between = (low: number, high: number): number => low + below(high - low + 1);
  const oneOf = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => below(16).toString(16)).join("");
  const uuid = (): string => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;

  function* document(id: string): Scene {
    yield { type: "DOC_UPDATE", id, status: "processing", details: "" };
    const total = between(4, 40);
    const breaksAt = random() < 0.08 ? below(total) : undefined;
    for (let processed = 0; processed < total; ) {
      processed = Math.min(total, processed + between(1, 6));
      if (breaksAt !== undefined && processed >= breaksAt) {
        yield { type: "DOC_UPDATE", id, status: "failed", details: oneOf(FAILURES) };
        return;
      }
      yield { type: "DOC_PROGRESS", doc_id: id, processed, total };
    }
    const details = `${total} chunks`;
    const durationMs = between(40, 90) * total;
    yield { type: "DOC_UPDATE", id, status: "indexed", details, processing_duration_ms: durationMs };
  }

  function* connector(id: string): Scene {
    const total = between(3, 12);
    const progress = (current: number): object => {
      const percent = Math.round((1000 * current) / total) / 10;
      return { type: "CONNECTOR_PROGRESS", id, current, total, percent };
    };
    yield { type: "CONNECTOR_STATUS", id, status: "syncing" };
    yield progress(0);
    yield { type: "CONNECTOR_STATUS", id, status: "vectorizing" };
    for (let current = 1; current <= total; current += 1) {
      yield* document(uuid());
      yield progress(current);
    }
    yield { type: "CONNECTOR_STATUS", id, status: "idle" };
  }

  const connectors = Array.from({ length: CONNECTORS }, uuid);
  /** What is under way, by the id it is about. */
  const running = new Map<string, Scene>();
  let nextId: string | undefined;

  const trigger = (id: string, scene: (id: string) => Scene): boolean => {
    // Asked for twice, as at-least-once delivery may, it is done once.
    if (!running.has(id)) {
      if (running.size >= RUNNING + TRIGGERED_MAX) return false;
      running.set(id, scene(id));
    }
    nextId = id;
    return true;
  };

  return {
    next() {
      while (true) {
        while (running.size < RUNNING) {
          const id = oneOf(connectors.filter((candidate) => !running.has(candidate)));
          running.set(id, connector(id));
        }
        const id = nextId ?? oneOf([...running.keys()]);
        nextId = undefined;
        const step = running.get(id)?.next();
        if (step !== undefined && step.done !== true) return step.value;
        running.delete(id);
      }
    },
    syncConnector: (id) => trigger(id, connector),
    syncDocument: (id) => trigger(id, document),
  };
}
