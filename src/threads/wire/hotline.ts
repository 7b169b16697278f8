/**
 * How an edge asks the core and stands still until it has the answer: a handshake must be decided in the step in which it
 * came, or Bun takes what a client sends behind it for another request. It costs 4 to 20 µs; a core that is busy for a while
 * has the messages, too, for which the edge's connections wait.
 */
export interface Hotline {
  /** @returns undefined where the core does not answer in time */
  call(what: "take" | "failure", address: string): Answer | undefined;
}

/** Two whole numbers: what they mean depends on the question. */
export type Answer = readonly [number, number];

/** The numbers shared by an edge and the core: that of the last call answered, and its answer. */
const CELLS = 3;

/** A core that takes longer has hung, or the machine is on its knees. */
const WAIT_LIMIT_MS = 1_000;

export function hotlineMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT);
}

/** @param post hands the question to the core at once */
export function createHotline(
  memory: SharedArrayBuffer,
  post: (id: number, what: "take" | "failure", address: string) => void,
): Hotline {
  const cells = new Int32Array(memory);
  let lastId = 0;
  return {
    call(what, address) {
      lastId = (lastId + 1) | 0;
      post(lastId, what, address);
      for (let answered = Atomics.load(cells, 0); answered !== lastId; answered = Atomics.load(cells, 0)) {
        if (Atomics.wait(cells, 0, answered, WAIT_LIMIT_MS) === "timed-out") return undefined;
      }
      return [cells[1] ?? 0, cells[2] ?? 0];
    },
  };
}

/** The core's part. */
export function answerHotline(memory: SharedArrayBuffer, id: number, [first, second]: Answer): void {
  const cells = new Int32Array(memory);
  cells[1] = first;
  cells[2] = second;
  Atomics.store(cells, 0, id);
  Atomics.notify(cells, 0);
}
