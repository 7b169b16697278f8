/** The closed loop's process. */
import { openClosedLoop, type Round, type Session, type SessionOptions } from "./closed-loop.ts";
import { serve } from "./remote.ts";

let session: Session | undefined;

const handlers = {
  /** @returns the seconds that the subscribers' handshakes took */
  async connect(options: SessionOptions): Promise<number> {
    session = await openClosedLoop(options);
    return session.connectSeconds;
  },
  run({ inFlight, durationMs }: { inFlight: number; durationMs: number }): Promise<Round> {
    if (session === undefined) return Promise.reject(new Error("run before connect"));
    return session.run(inFlight, durationMs);
  },
};

export type ClosedLoop = typeof handlers;

serve(handlers);
