/** Why a connection is over for good, or a publish has failed. */
export type HubErrorCode =
  /** The hub does not let this client or worker in (close code 1008, or 400, 401 or 403 over HTTP). */
  | "refused"
  /** A newer worker has taken this one's place (close code 4001). */
  | "replaced"
  /** The hub found fault with what was sent (close codes 1002, 1003, 1007 and 1009). */
  | "protocol"
  /** This side has closed the connection. */
  | "closed"
  /** A message did not pass `validate`, and there is no `onInvalid`. */
  | "invalid_message"
  /** The outbox is full: publish again when some of it has been acknowledged. */
  | "outbox_full"
  /** The message is larger than the hub takes. */
  | "too_large"
  /** The hub answered a publish with an `error` frame. */
  | "rejected"
  /** The connection was lost before the acknowledgement, and the message cannot safely be sent again. */
  | "uncertain";

/** An expected failure of the client or the worker. Tell them apart by `code`, not by the message. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: HubErrorCode;
  /** The WebSocket close code or the HTTP status that led to it; undefined where there was none. */
  readonly status: number | undefined;

  constructor(
    code: HubErrorCode,
    message: string,
    options: { readonly status?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.status = options.status;
  }
}

/** What a final close code or status means (PROTOCOL.md, sections 1 and 4). */
export function hubErrorOf({ code, reason }: { readonly code: number; readonly reason: string }): HubError {
  const kind = code === 4001 ? "replaced" : code === 1008 || code < 1000 ? "refused" : "protocol";
  return new HubError(kind, `the hub ended the connection for good: ${code} ${reason}`.trimEnd(), {
    status: code,
  });
}
