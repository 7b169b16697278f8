import { resolve } from "node:path";
import { type Hub, SECRET } from "./hub.ts";
import { readLines } from "./lines.ts";
import { PYTHON, PYTHON_NEEDS } from "./python.ts";
import { createQueue } from "./queue.ts";

export const HAS_VECTRA_WORKER = PYTHON !== undefined;
export const VECTRA_WORKER_NEEDS = PYTHON_NEEDS;

type Line = { readonly frame: string } | { readonly closed: number; readonly reason: string };

export interface VectraWorker extends AsyncDisposable {
  /** The next frame it received, or how its connection ended. */
  next(): Promise<Line>;
  /** Publishes one object, given as JSON text; Python parses it and writes it its own way. */
  publish(json: string): void;
  /** Ends the input: the worker closes its connection once its heartbeats are answered. */
  finish(): void;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, once it has ended. */
  readonly exited: Promise<number>;
}

/** Starts `vectra_worker.py`. */
export function startVectraWorker(hub: Hub, args: readonly string[] = []): VectraWorker {
  if (PYTHON === undefined) throw new Error(`needs ${VECTRA_WORKER_NEEDS}`);
  const script = resolve(import.meta.dir, "vectra_worker.py");
  const uri = hub.wsUrl("client_type=worker", "/api/v1/ws");
  const child = Bun.spawn([PYTHON, script, "--uri", uri, "--secret", SECRET, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = createQueue<Line>();
  void readLines(child.stdout, (line) => lines.push(JSON.parse(line))).then(() =>
    lines.end("the worker has ended"),
  );
  return {
    next: () => lines.next("line from the worker"),
    publish(json) {
      void child.stdin.write(`${json}\n`);
      void child.stdin.flush();
    },
    finish: () => void child.stdin.end(),
    kill: (signal) => child.kill(signal),
    exited: child.exited,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
