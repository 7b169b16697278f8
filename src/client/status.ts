import type { WorkerStatus } from "./frame.ts";

/** The worker's status as it was last heard. */
export interface StatusWatch {
  readonly current: WorkerStatus | undefined;
  /** Tells of it where it differs from the last one. */
  take(status: WorkerStatus | undefined): void;
}

export function createStatusWatch(tell: (status: WorkerStatus) => void): StatusWatch {
  let current: WorkerStatus | undefined;
  let currentText = "";
  return {
    get current() {
      return current;
    },
    take(status) {
      if (status === undefined) return;
      const text = JSON.stringify(status);
      if (text === currentText) return;
      current = status;
      currentText = text;
      tell(status);
    },
  };
}
