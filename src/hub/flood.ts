/** How much of its allowance a connection may save up and use at once. */
export const FLOOD_BURST_SECONDS = 10;

/** What one connection has left. It lives on the connection, so that no table has to be kept beside it. */
export interface Allowance {
  frames: number;
  bytes: number;
  /** When it was last counted, on the monotonic clock. */
  countedMs: number;
}

export interface FloodLimits {
  /** 0 = no limit. */
  readonly framesPerSecond: number;
  /** 0 = no limit. */
  readonly bytesPerSecond: number;
  /** A single message of this size, which the hub says it takes, is no flood. */
  readonly maxMessageBytes: number;
}

export interface FloodGuard {
  /** The full allowance of a new connection. */
  start(nowMs: number): Allowance;
  /**
   * Takes one frame off, whatever it holds: text, binary, a ping or a pong that nobody asked for.
   * @returns false when the allowance is overdrawn: the client is to be closed with 1008
   */
  take(allowance: Allowance, nowMs: number, byteCount: number): boolean;
}

/**
 * The flood limit on what clients send (PROTOCOL.md, section 1): a token bucket over frames and one over bytes. A
 * dashboard sends a `ping` now and then and the hub ignores the rest, so only a fault or an attack comes near it.
 */
export function createFloodGuard({
  framesPerSecond,
  bytesPerSecond,
  maxMessageBytes,
}: FloodLimits): FloodGuard {
  const frames = bucket(framesPerSecond, 1);
  const bytes = bucket(bytesPerSecond, maxMessageBytes);
  return {
    start: (nowMs) => ({ frames: frames.capacity, bytes: bytes.capacity, countedMs: nowMs }),
    take(allowance, nowMs, byteCount) {
      const seconds = Math.max(0, nowMs - allowance.countedMs) / 1000;
      allowance.countedMs = nowMs;
      allowance.frames = Math.min(frames.capacity, allowance.frames + seconds * frames.perSecond) - 1;
      allowance.bytes = Math.min(bytes.capacity, allowance.bytes + seconds * bytes.perSecond) - byteCount;
      return allowance.frames >= 0 && allowance.bytes >= 0;
    },
  };
}

interface Bucket {
  readonly perSecond: number;
  readonly capacity: number;
}

function bucket(perSecond: number, capacityMin: number): Bucket {
  if (perSecond === 0) return { perSecond: 0, capacity: Number.POSITIVE_INFINITY };
  return { perSecond, capacity: Math.max(perSecond * FLOOD_BURST_SECONDS, capacityMin) };
}
