/** Redis cannot be used as it is. The message is one line for people: which one, why, how to repair it. No secret is in it. */
export class RedisError extends Error {
  /** Will trying again not help? */
  readonly isFinal: boolean;

  constructor(message: string, isFinal = false) {
    super(message);
    this.name = "RedisError";
    this.isFinal = isFinal;
  }
}

/** The connection has ended, or the deadline of a call on it has passed: it is unknown whether the call was done. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

/** Before 7.0 Redis put what a command in a script has answered behind where in the script that was. */
const IN_SCRIPT = /^ERR Error running script .*?: -([A-Z]+) /;

/** What Redis has answered with an error: its first word, e.g. `OOM`, `NOSCRIPT`. */
export function replyCode(error: unknown): string | undefined {
  const isReply = error instanceof Error && "code" in error && error.code === "ERR_REDIS_SERVER_ERROR";
  if (!isReply) return undefined;
  return IN_SCRIPT.exec(error.message)?.[1] ?? /^[A-Z]+/.exec(error.message)?.[0];
}

/** Redis may quote what it was sent: no line shows more of it than this. */
const SHOWN_CHARS = 200;

export function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
