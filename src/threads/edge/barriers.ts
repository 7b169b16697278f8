import type { Questions } from "./questions.ts";

/**
 * Asks the core whether everything promised to anybody has arrived here. Because a port keeps its order, the answer lies
 * behind it. Whoever asks while one question is under way shares the next: a fleet that pings costs two of them at a time.
 */
export function createBarrier(questions: Pick<Questions, "ask">): (done: () => void) => void {
  let next: (() => void)[] = [];
  let isAsking = false;

  const ask = (): void => {
    const asked = next;
    next = [];
    isAsking = true;
    const over = (): void => {
      isAsking = false;
      for (const done of asked) done();
      if (!isAsking && next.length > 0) ask();
    };
    // Behind what waits for promises that have been answered before, such as the acknowledgements of a worker.
    const soon = (): void => queueMicrotask(over);
    // A core that does not keep up has promised nothing that it has not posted.
    questions.ask({ op: "barrier" }, [], soon, soon);
  };
  return (done) => {
    next.push(done);
    if (!isAsking) ask();
  };
}
