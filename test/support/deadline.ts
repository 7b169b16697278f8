/**
 * How long an awaited event may take. Generous: it only ends a test whose event never comes, and measures nothing. Below
 * the runner's own limit, so that the message says what was missing.
 */
export const DEADLINE_MS = 20_000;

/** Gives up on `promise` after `limitMs`, with a message that says what was missing. */
export async function within<T>(promise: Promise<T>, what: string, limitMs = DEADLINE_MS): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
