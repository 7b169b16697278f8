import type { Cancel, Runtime } from "../../runtime.ts";
import type { Operation } from "./operation.ts";

/** Those who wait until this node's hub has been told of all that anybody had been promised. */
export interface Barriers {
  /** At once where Redis is away: nobody is kept waiting for what cannot be known. */
  wait(done: () => void): void;
  /**
   * The same for those who must know: while Redis is away they wait for it.
   * @param done called in any case; `isSure` unless Redis could not be asked within its time
   */
  ask(done: (isSure: boolean) => void): void;
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
  readonly dones: readonly ((isSure: boolean) => void)[];
  readonly cancel: Cancel;
}

export function createBarriers({ runtime, timeoutMs, isUp, submit, lastOffset }: BarriersOptions): Barriers {
  let gathered: ((isSure: boolean) => void)[] = [];
  const groups = new Set<Group>();

  const finish = (group: Group, isSure: boolean): void => {
    if (!groups.delete(group)) return;
    group.cancel();
    for (const done of group.dones) done(isSure);
  };
  const ask = (): void => {
    const dones = gathered;
    gathered = [];
    submit({
      args: ["head"],
      messages: 0,
      done(result) {
        if (!result.ok || result.header.seq <= lastOffset()) {
          for (const done of dones) done(result.ok);
          return;
        }
        const group: Group = {
          target: result.header.seq,
          dones,
          cancel: runtime.after(timeoutMs, () => finish(group, false)),
        };
        groups.add(group);
      },
    });
  };

  /** One question for all that come in this turn; it goes behind everything that has been asked before. */
  const gather = (done: (isSure: boolean) => void): void => {
    gathered.push(done);
    if (gathered.length === 1) queueMicrotask(ask);
  };

  return {
    wait(done) {
      if (isUp()) gather(done);
      else done();
    },
    ask: gather,
    moved() {
      for (const group of [...groups]) {
        if (group.target <= lastOffset()) finish(group, true);
      }
    },
    release() {
      for (const group of [...groups]) finish(group, false);
    },
  };
}
