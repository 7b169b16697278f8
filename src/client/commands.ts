import type { ClientRuntime } from "./runtime.ts";

/** A command for the worker (PROTOCOL.md, section 4). */
export interface Command {
  readonly id: string;
  /** 1 for the first sending; more where a worker before this one, or this one, did not acknowledge it. */
  readonly attempt: number;
  readonly data: Readonly<Record<string, unknown>>;
  /** The command as it was sent, byte for byte. */
  readonly text: string;
}

export interface Commands {
  take(command: Command): void;
  /** A new connection is open: acknowledgements that could not be sent are sent now. */
  resend(): void;
  stop(): void;
}

/** More than the hub keeps for a worker by default; what comes on top is not acknowledged, and so sent again later. */
const WAITING_MAX = 10_000;
/** The hub knows a command for 10 minutes after its end, and at most so many. */
const DONE_MAX = 10_000;

export interface CommandsOptions {
  readonly runtime: Pick<ClientRuntime, "report">;
  readonly handle: (command: Command) => unknown;
  readonly failed: ((error: unknown, command: Command) => void) | undefined;
  /** How many handlers may run at once. */
  readonly concurrency: number;
  /** @returns false where there is no connection */
  readonly send: (frame: string) => boolean;
}

/**
 * Runs the handler for each command, begun in the order of their arrival, and acknowledges it when the handler has succeeded. A command that
 * comes again while it waits or runs is not begun twice; one that was done is acknowledged again, and not done again. One
 * whose handler has failed is not acknowledged: the hub sends it to the next worker that registers, this one included.
 */
export function createCommands({ runtime, handle, failed, concurrency, send }: CommandsOptions): Commands {
  const waiting = new Map<string, Command>();
  const running = new Set<string>();
  const done = new Set<string>();
  /** Done, and not yet said. */
  const unsent = new Set<string>();
  let isStopped = false;

  const acknowledge = (id: string): void => {
    if (!send(JSON.stringify({ type: "ack", id }))) unsent.add(id);
  };

  const run = async (command: Command): Promise<void> => {
    const { id } = command;
    try {
      await handle(command);
      done.add(id);
      const [oldest] = done;
      if (done.size > DONE_MAX && oldest !== undefined) done.delete(oldest);
      acknowledge(id);
    } catch (error) {
      tell(error, command);
    }
    running.delete(id);
    pump();
  };

  const tell = (error: unknown, command: Command): void => {
    if (failed === undefined) {
      runtime.report(error);
      return;
    }
    try {
      failed(error, command);
    } catch (secondError) {
      runtime.report(secondError);
    }
  };

  const pump = (): void => {
    for (const [id, command] of waiting) {
      if (isStopped || running.size >= concurrency) return;
      waiting.delete(id);
      running.add(id);
      void run(command);
    }
  };

  return {
    take(command) {
      const { id } = command;
      if (done.has(id)) acknowledge(id);
      else if (!running.has(id) && !waiting.has(id) && waiting.size < WAITING_MAX) {
        waiting.set(id, command);
        pump();
      }
    },
    resend() {
      const ids = [...unsent];
      unsent.clear();
      for (const id of ids) acknowledge(id);
    },
    stop() {
      isStopped = true;
      waiting.clear();
    },
  };
}
