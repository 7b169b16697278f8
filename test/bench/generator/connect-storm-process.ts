/** Many clients that connect at once and then stay, idle, in a process of their own. */
import { type Connection, openSocket } from "./connection.ts";
import { connectReceiver, type Wire } from "./receiver.ts";
import { serve } from "./remote.ts";

export interface ConnectStormOptions {
  /** The server's root. */
  url: string;
  wire: Wire;
  clients: number;
  /** Handshakes that are begun before the first of them has ended. */
  atOnce: number;
}

const LOST_AFTER_MS = 60_000;

const connections: Connection[] = [];

export interface ConnectStormResult {
  /** For each client, from the first connect until it was told the status; in milliseconds, ascending. */
  toldAfterMs: number[];
  /** Attempts that failed and were made again: the kernel resets some when too many wait to be accepted. */
  failedAttempts: number;
}

/** Resolves once each client is connected and was told the status. */
async function start({ url, wire, clients, atOnce }: ConnectStormOptions): Promise<ConnectStormResult> {
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const toldAfterMs: number[] = [];
  let failedAttempts = 0;
  const startMs = performance.now();

  async function attempt(index: number): Promise<void> {
    const told = Promise.withResolvers<void>();
    told.promise.catch(() => undefined);
    let isTold = false;
    connections[index] = await connectReceiver(wire, {
      url,
      onMessage: () => failure.reject(new Error("a message came, where nobody publishes")),
      onOther: told.resolve,
      onChunkEnd: () => undefined,
      onFailure(error) {
        if (isTold) failure.reject(new Error(`client ${index}: ${error.message}`));
        else told.reject(error);
      },
    });
    // Nchan has nothing to say to a new subscriber: to have been let in has to do.
    if (wire !== "nchan") await told.promise;
    isTold = true;
  }

  async function connect(index: number): Promise<void> {
    while (true) {
      try {
        await attempt(index);
        break;
      } catch (error) {
        failedAttempts += 1;
        if (failedAttempts > clients) throw error;
      }
    }
    toldAfterMs.push(performance.now() - startMs);
  }

  let next = 0;
  async function connectInTurn(): Promise<void> {
    while (next < clients) {
      next += 1;
      await connect(next - 1);
    }
  }
  const all = Promise.all(Array.from({ length: Math.min(atOnce, clients) }, connectInTurn));
  const late = setTimeout(
    () =>
      failure.reject(new Error(`${toldAfterMs.length} of ${clients} clients were told the status in time`)),
    LOST_AFTER_MS,
  );
  await Promise.race([all, failure.promise]).finally(() => clearTimeout(late));
  return { toldAfterMs, failedAttempts };
}

/** A first connection of this process takes longer than all others: one to a server that says nothing comes before. */
async function warmUp(_nothing: undefined): Promise<void> {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const url = new URL(`http://127.0.0.1:${listener.port}`);
  const connection = await openSocket({ url, onChunk: () => undefined, onFailure: () => undefined });
  connection.end();
  listener.stop(true);
}

const handlers = { start, warmUp };

export type ConnectStormProcess = typeof handlers;

serve(handlers);
