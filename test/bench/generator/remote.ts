import { join } from "node:path";

/** What a process of the load generator can be asked for: functions of one argument, by name. */
export type Handlers = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

interface Question {
  name: string;
  argument: unknown;
}

type Answer = { ok: true; result: unknown } | { ok: false; reason: string };

/** A load generator in a process of its own, so that it and the server share no event loop and no heap. */
export interface Remote<H extends Handlers> {
  readonly pid: number;
  /** One question at a time. Rejects with what the other side threw, or where it ended. */
  ask<K extends keyof H & string>(name: K, argument: Parameters<H[K]>[0]): ReturnType<H[K]>;
  stop(): Promise<void>;
}

/** Starts `file` of this folder. `name` is what errors are prefixed with. */
export function startRemote<H extends Handlers>(name: string, file: string): Remote<H> {
  let waiting: PromiseWithResolvers<Answer> | undefined;
  const child = Bun.spawn([process.execPath, join(import.meta.dir, file)], {
    stdio: ["ignore", "inherit", "inherit"],
    // A profile of the server is wanted, where one is, not of this.
    env: { ...process.env, BUN_OPTIONS: "" },
    ipc: (answer: Answer) => waiting?.resolve(answer),
    onExit: (_child, code, signal) =>
      waiting?.reject(new Error(`${name}: generator ended (${code ?? signal})`)),
  });

  async function ask(question: Question): Promise<unknown> {
    waiting = Promise.withResolvers<Answer>();
    child.send(question);
    const answer = await waiting.promise;
    if (!answer.ok) throw new Error(`${name}: ${answer.reason}`);
    return answer.result;
  }

  return {
    pid: child.pid,
    // What comes back is what the handler of that name has returned: `serve` sees to it.
    ask: (question, argument) => ask({ name: question, argument }) as ReturnType<H[typeof question]>,
    async stop() {
      waiting = undefined;
      child.kill();
      await child.exited;
    },
  };
}

/** The other side: answers over Bun's IPC until whoever asks is gone. */
export function serve(handlers: Handlers): void {
  async function answer({ name, argument }: Question): Promise<Answer> {
    const handler = handlers[name];
    if (handler === undefined) return { ok: false, reason: `there is no "${name}"` };
    try {
      return { ok: true, result: await handler(argument as never) };
    } catch (error) {
      return { ok: false, reason: (error as Error).message };
    }
  }
  process.on("message", (question: Question) => {
    void answer(question).then((result) => process.send?.(result));
  });
  // Nobody is left to stop it.
  process.on("disconnect", () => process.exit(0));
}
