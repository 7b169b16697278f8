import { join } from "node:path";
import type { Round, SessionOptions } from "./closed-loop.ts";
import type { GeneratorAnswer, GeneratorRequest } from "./main.ts";

const CONNECTED_WITHIN_MS = 60_000;

/** A load generator in a process of its own, as the bench sees it. */
export interface Generator {
  /** Opens the connections; resolves with the seconds that the subscribers' handshakes took. */
  connect(options: SessionOptions): Promise<number>;
  run(inFlight: number, durationMs: number): Promise<Round>;
  stop(): Promise<void>;
}

/** Starts one. `name` is what its errors are prefixed with. */
export function startGenerator(name: string): Generator {
  let waiting: PromiseWithResolvers<GeneratorAnswer> | undefined;
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts")], {
    stdio: ["ignore", "inherit", "inherit"],
    // A profile of the server is wanted, where one is, not of this.
    env: { ...process.env, BUN_OPTIONS: "" },
    ipc: (message: GeneratorAnswer) => waiting?.resolve(message),
    onExit: (_child, code, signal) =>
      waiting?.reject(new Error(`${name}: generator ended (${code ?? signal})`)),
  });

  async function ask(request: GeneratorRequest): Promise<GeneratorAnswer> {
    waiting = Promise.withResolvers<GeneratorAnswer>();
    child.send(request);
    const answer = await waiting.promise;
    if (answer.kind === "failed") throw new Error(`${name}: ${answer.reason}`);
    return answer;
  }

  return {
    async connect(options) {
      const late = setTimeout(
        () => waiting?.reject(new Error(`${name}: not connected within ${CONNECTED_WITHIN_MS} ms`)),
        CONNECTED_WITHIN_MS,
      );
      const answer = await ask({ kind: "connect", options }).finally(() => clearTimeout(late));
      if (answer.kind !== "connected") throw new Error(`${name}: unexpected answer ${answer.kind}`);
      return answer.seconds;
    },
    async run(inFlight, durationMs) {
      const answer = await ask({ kind: "run", inFlight, durationMs });
      if (answer.kind !== "round") throw new Error(`${name}: unexpected answer ${answer.kind}`);
      return answer.round;
    },
    async stop() {
      waiting = undefined;
      child.kill();
      await child.exited;
    },
  };
}
