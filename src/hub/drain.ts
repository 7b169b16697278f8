import type { Runtime } from "../runtime.ts";

/** How often those whose turn has come are sent away. */
const TICK_MS = 20;

/**
 * Sends everybody away, evenly over `spreadMs`, so that a fleet does not come back at once; with 0 in this very turn.
 * @param farewells one for each connection; harmless for one that has ended meanwhile
 */
export async function spread(
  runtime: Runtime,
  farewells: readonly (() => void)[],
  spreadMs: number,
): Promise<void> {
  const startedMs = runtime.monotonicMs();
  let sent = 0;
  while (sent < farewells.length) {
    const share = spreadMs === 0 ? 1 : (runtime.monotonicMs() - startedMs) / spreadMs;
    const due = Math.min(farewells.length, Math.ceil(farewells.length * share));
    for (; sent < due; sent++) farewells[sent]?.();
    if (sent < farewells.length) await new Promise<void>((resolve) => runtime.after(TICK_MS, resolve));
  }
}
