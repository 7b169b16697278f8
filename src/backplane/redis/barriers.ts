import type { Cancel, Runtime } from "../../runtime.ts";
import type { Operation } from "./operation.ts";

/** Those who wait until this node's hub has been told of all that anybody had been promised. */
export interface Barriers {
  wait(done: () => void): void;
  /** The hub has been told of more. */
  moved(): void;
  /** Nobody waits any longer: what was promised will not come this way. */
  release(): void;
}

export interface BarriersOptions {
  readonly runtime: Runtime;
  readonly timeoutMs: number;
  readonly isUp: () => boolean;
  readonly submit: (operation: Operation) => void;
  readonly lastOffset: () => number;
}

interface Group {
  readonly target: number;
  readonly dones: readonly (() => void)[];
  readonly cancel: Cancel;
}

export function createBarriers({ runtime, timeoutMs, isUp, submit, lastOffset }: BarriersOptions): Barriers {
  let gathered: (() => void)[] = [];
  const groups = new Set<Group>();

  const finish = (group: Group): void => {
    if (!groups.delete(group)) return;
    group.cancel();
    for (const done of group.dones) done();
  };
  const ask = (): void => {
    const dones = gathered;
    gathered = [];
    submit({
      args: ["head"],
      messages: 0,
      done(result) {
        if (!result.ok || result.header.seq <= lastOffset()) {
          for (const done of dones) done();
          return;
        }
        const group: Group = {
          target: result.header.seq,
          dones,
          cancel: runtime.after(timeoutMs, () => finish(group)),
        };
        groups.add(group);
      },
    });
  };

  return {
    wait(done) {
      if (!isUp()) {
        done();
        return;
      }
      gathered.push(done);
      // One question for all that come in this turn; it goes behind everything that has been asked before.
      if (gathered.length === 1) queueMicrotask(ask);
    },
    moved() {
      for (const group of [...groups]) {
        if (group.target <= lastOffset()) finish(group);
      }
    },
    release() {
      for (const group of [...groups]) finish(group);
    },
  };
}
