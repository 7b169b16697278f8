import { within } from "../../support/deadline.ts";
import { SECRET } from "../../support/hub.ts";
import type { Acknowledged } from "./connection.ts";
import type { MemoryWatch } from "./memory.ts";
import type { Publisher } from "./publisher.ts";
import { oneLine, type Witness } from "./witness.ts";

export interface SettleOptions {
  readonly url: string;
  readonly publisher: Publisher;
  readonly witnesses: readonly Witness[];
  /** Receipts that cases got. */
  readonly acknowledged: readonly Acknowledged[];
  readonly memory: MemoryWatch;
  /** How long may be waited for what must become true. */
  readonly limitMs: number;
}

const POLL_INTERVAL_MS = 10;

/**
 * What must be true when an episode's connections are gone: the hub answers, everybody has had everything that was
 * acknowledged, once and in one order, no connection is left over, and memory is where it was.
 * @throws Error that says what is not
 */
export async function settle(options: SettleOptions): Promise<void> {
  const { url, publisher, witnesses, acknowledged, memory, limitMs } = options;
  await isAlive(url);
  await publisher.pause();
  await connectionsAreGone(url, limitMs);
  // All before it has come when the last one has. Two, so that the loss of the first shows at once.
  await publisher.publish();
  const fence = await publisher.publish();
  await Promise.all(witnesses.map((witness) => witness.reached(fence, limitMs)));
  const positioned = witnesses.filter(({ kind }) => kind !== "raw");
  if (new Set(positioned.map((witness) => String(witness.digest()))).size > 1) {
    throw new Error("the witnesses have not seen the same messages");
  }
  for (const { id, text } of [...publisher.takeAcknowledged(), ...acknowledged]) {
    for (const witness of positioned) {
      const seen = witness.hashAt(id);
      if (seen === undefined)
        throw new Error(`the ${witness.kind} witness never got ${id}, which was acknowledged`);
      if (text !== undefined && seen !== Bun.hash(oneLine(text))) {
        throw new Error(`the ${witness.kind} witness got another text at ${id} than ${text.slice(0, 300)}`);
      }
    }
  }
  for (const witness of witnesses) witness.forget();
  const wrong = await memory.settle(limitMs);
  if (wrong !== undefined) throw new MemoryFault(wrong);
}

/** No single case is to blame for it. */
export class MemoryFault extends Error {}

async function isAlive(url: string): Promise<void> {
  for (const path of ["/healthz", "/readyz"]) {
    const { status } = await within(fetch(`${url}${path}`), `an answer of ${path}`);
    if (status !== 200) throw new Error(`${path} answers ${status}`);
  }
}

/** The witnesses alone are left: a raw and a stream-framed client and an event stream. */
async function connectionsAreGone(url: string, limitMs: number): Promise<void> {
  const expected = JSON.stringify({
    client: { websocket: 2, of_which_stream_framed: 1, sse: 1 },
    worker: { websocket: 0 },
  });
  let counted = "";
  const asking = async (): Promise<void> => {
    while (counted !== expected) {
      const response = await fetch(`${url}/api/v1/stats`, { headers: { "x-worker-secret": SECRET } });
      const stats = (await response.json()) as { connections: unknown };
      counted = JSON.stringify(stats.connections);
      if (counted !== expected) await Bun.sleep(POLL_INTERVAL_MS);
    }
  };
  await within(asking(), "connections that are gone", limitMs).catch((error) => {
    throw new Error(`${error}: the hub counts ${counted}`);
  });
}
