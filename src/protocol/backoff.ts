export interface BackoffOptions {
  readonly runtime: {
    /** A clock in milliseconds that never jumps. */
    monotonicMs(): number;
    /** A number in [0, 1). */
    random(): number;
  };
  /** The first delay is up to this long, and each further one up to twice as long as the one before, … */
  readonly firstMs: number;
  /** … but never longer than this. */
  readonly limitMs: number;
  /** A success resets the delays only when it has lasted so long: a peer that accepts and closes must not be hammered. */
  readonly stableMs: number;
}

/** Delays between tries, with full jitter: each is a random part of what it may be at most. */
export interface Backoff {
  /** How long to wait before the next try, which this call counts. */
  nextDelayMs(): number;
  /** The last try has succeeded, just now. */
  succeeded(): void;
}

export function createBackoff({ runtime, firstMs, limitMs, stableMs }: BackoffOptions): Backoff {
  let tries = 0;
  let succeededAtMs: number | undefined;
  return {
    nextDelayMs() {
      if (succeededAtMs !== undefined && runtime.monotonicMs() - succeededAtMs >= stableMs) tries = 0;
      succeededAtMs = undefined;
      const ceilingMs = Math.min(limitMs, firstMs * 2 ** tries);
      tries += 1;
      return runtime.random() * ceilingMs;
    },
    succeeded() {
      succeededAtMs = runtime.monotonicMs();
    },
  };
}
