import type { Outbox } from "../wire/batch.ts";
import type { ToCore } from "../wire/to-core.ts";

/** Log lines go to the core, which writes those of all threads. */
export interface LogLines {
  write(line: string): void;
  /** The core has taken so many bytes of them. */
  taken(bytes: number): void;
}

/** As much as may wait to be written where there is one thread; past this, lines are dropped and counted. */
const UNTAKEN_LIMIT_BYTES = 1_048_576;

export function createLogLines(outbox: Pick<Outbox<ToCore>, "say">): LogLines {
  let untakenBytes = 0;
  let dropped = 0;
  const say = (line: string): void => {
    untakenBytes += line.length;
    outbox.say({ op: "log", line });
  };
  return {
    write(line) {
      if (untakenBytes > UNTAKEN_LIMIT_BYTES) dropped += 1;
      else say(line);
    },
    taken(bytes) {
      untakenBytes -= bytes;
      if (dropped === 0 || untakenBytes > UNTAKEN_LIMIT_BYTES) return;
      const lost = dropped;
      dropped = 0;
      say(`... ${lost} log lines dropped: they came faster than they are written`);
    },
  };
}
