/**
 * Every close code that the hub sends (PROTOCOL.md, section 1), and whether the peer should come back. 1002, 1007 and
 * 1009 are sent by Bun's own frame parser and are listed so that the table is whole.
 */
export const CLOSE = {
  goingAway: { code: 1001, reason: "the hub is stopping", comeBack: "after a random delay" },
  protocolError: { code: 1002, reason: "protocol error", comeBack: "after fixing it" },
  binary: { code: 1003, reason: "text frames only", comeBack: "after fixing it" },
  invalidUtf8: { code: 1007, reason: "invalid UTF-8", comeBack: "after fixing it" },
  policy: { code: 1008, reason: "not allowed", comeBack: "no" },
  tooBig: { code: 1009, reason: "message too big", comeBack: "after fixing it" },
  fault: { code: 1011, reason: "a fault in the hub", comeBack: "after a random delay" },
  restart: { code: 1012, reason: "the hub is restarting", comeBack: "after a random delay" },
  expired: {
    code: 1012,
    reason: "connected for CLIENT_MAX_AGE_MS: come back",
    comeBack: "after a random delay",
  },
  leaseLost: {
    code: 1012,
    reason: "the hub cannot vouch for this worker any more: come back",
    comeBack: "after a random delay",
  },
  discontinued: {
    code: 1012,
    reason: "the stream cannot be continued here: come back and resume",
    comeBack: "after a random delay",
  },
  capacity: { code: 1013, reason: "at capacity", comeBack: "after a random delay" },
  tooSlow: { code: 1013, reason: "too slow for the stream", comeBack: "after a random delay" },
  replaced: { code: 4001, reason: "replaced by a newer worker", comeBack: "no" },
} as const;

export interface Close {
  readonly code: number;
  /** At most 123 bytes of UTF-8 (RFC 6455, section 5.5). Seen by the peer: it says nothing secret. */
  readonly reason: string;
}
