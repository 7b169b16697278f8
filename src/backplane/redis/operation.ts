/** What every answer of Redis says beside the results. */
export interface Header {
  readonly epoch: string;
  /** The offset of the newest message. */
  readonly seq: number;
  /** Commands that wait for a worker or its acknowledgement. */
  readonly waiting: number;
  /** Redis' wall clock. */
  readonly nowMs: number;
  /** When the status becomes offline unless a worker comes, on Redis' wall clock; 0 where that is not to be. */
  readonly graceAtMs: number;
  /** How many statuses this call has put into the stream. */
  readonly announced: number;
}

export interface Done {
  readonly ok: true;
  readonly reply: readonly unknown[];
  readonly header: Header;
  /** When it was first sent, on this node's monotonic clock: it was not done before. */
  readonly sentAtMs: number;
}

export interface Failed {
  readonly ok: false;
  readonly code: "backplane" | "storage";
  readonly detail: string;
}

/** One thing that is asked of Redis, in the order of the asking. */
export interface Operation {
  /** Its name in apply.lua, and what it reads. */
  readonly args: readonly string[];
  /** How many messages it holds for the buffer's bound; 0 for what is not a message and has a bound of its own. */
  readonly messages: number;
  /** May it be done twice, and is its answer too large to be kept for a repeat? Then it goes in a call of its own. */
  readonly isAlone?: boolean;
  /** Called once: at the latest REDIS_TIMEOUT_MS after it was submitted. */
  readonly done: (result: Done | Failed) => void;
}
