import type { Registry } from "../../observe/prometheus.ts";
import type { Runtime } from "../../runtime.ts";
import type { Report } from "../wire/to-core.ts";
import type { Seat } from "./seat.ts";

/** What the edges count and hold, put together. */
export interface Muster {
  /** Asks all edges how they are; resolves when all have answered, or after a second. */
  gather(): Promise<void>;
  take(seat: Seat, report: Report, id: number | undefined): void;
  /** The edge has gone. */
  forget(seat: Seat): void;
}

/** An edge that does not answer within this is not waited for: what it has told last will do. */
const ANSWER_LIMIT_MS = 1_000;

/** @param registry to whose counters the edges' counts are added, so that no restart of a thread takes any away */
export function createMuster(
  seats: ReadonlySet<Seat>,
  registry: Pick<Registry, "add">,
  runtime: Pick<Runtime, "after">,
): Muster {
  const asked = new Map<number, { readonly waitsFor: Set<Seat>; readonly settle: () => void }>();
  let lastId = 0;

  const answered = (id: number, seat: Seat): void => {
    const question = asked.get(id);
    if (question?.waitsFor.delete(seat) && question.waitsFor.size === 0) question.settle();
  };

  return {
    gather() {
      if (seats.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const id = ++lastId;
        const settle = (): void => {
          asked.delete(id);
          cancel();
          resolve();
        };
        const cancel = runtime.after(ANSWER_LIMIT_MS, settle);
        asked.set(id, { waitsFor: new Set(seats), settle });
        for (const seat of seats) askReport(seat, id);
      });
    },
    take(seat, report, id) {
      seat.report = report;
      registry.add(report.counts);
      if (id !== undefined) answered(id, seat);
    },
    forget(seat) {
      for (const id of [...asked.keys()]) answered(id, seat);
    },
  };
}

/** @param id where somebody waits for the answer */
export function askReport(seat: Seat, id?: number): void {
  const logged = seat.loggedBytes;
  seat.loggedBytes = 0;
  seat.outbox.say({ op: "report", id, logged });
}
