/**
 * The load generator's own process, so that it and the server share no event loop and no heap. It is driven over
 * Bun's IPC: one answer for each request, in order.
 */
import { openClosedLoop, type Round, type Session, type SessionOptions } from "./closed-loop.ts";

export type GeneratorRequest =
  | { kind: "connect"; options: SessionOptions }
  | { kind: "run"; inFlight: number; durationMs: number };

export type GeneratorAnswer =
  | { kind: "connected"; seconds: number }
  | { kind: "round"; round: Round }
  | { kind: "failed"; reason: string };

let session: Session | undefined;

async function answer(request: GeneratorRequest): Promise<GeneratorAnswer> {
  if (request.kind === "connect") {
    session = await openClosedLoop(request.options);
    return { kind: "connected", seconds: session.connectSeconds };
  }
  if (session === undefined) throw new Error("run before connect");
  return { kind: "round", round: await session.run(request.inFlight, request.durationMs) };
}

process.on("message", (request: GeneratorRequest) => {
  answer(request).then(
    (result) => process.send?.(result),
    (error: Error) => process.send?.({ kind: "failed", reason: error.message } satisfies GeneratorAnswer),
  );
});
// Whoever asked for the load is gone: nobody is left to stop it.
process.on("disconnect", () => {
  session?.close();
  process.exit(0);
});
