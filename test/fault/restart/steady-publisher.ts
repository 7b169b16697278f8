import { SECRET } from "../../support/hub.ts";

/** Publishes `{"n":1}`, `{"n":2}`, … at a steady pace, over the restart of the hub and all. */
export interface SteadyPublisher extends AsyncDisposable {
  /** The number of the last message whose receipt has come. */
  acknowledged(): number;
  /** Publishes no more. @returns the number of the last message */
  finish(): Promise<number>;
}

const INTERVAL_MS = 50;
/** Between two attempts while the hub is away. */
const RETRY_MS = 20;

export function startPublisher(url: string): SteadyPublisher {
  let acknowledged = 0;
  let isOver = false;

  /** A message whose receipt was lost is sent again: its key makes that harmless. */
  const publish = async (n: number): Promise<boolean> => {
    const response = await fetch(`${url}/api/v1/publish`, {
      method: "POST",
      headers: {
        "x-worker-secret": SECRET,
        "content-type": "application/json",
        "idempotency-key": `n-${n}`,
      },
      body: `{"n":${n}}`,
    }).catch(() => undefined);
    await response?.text().catch(() => undefined);
    if (response !== undefined && response.status !== 202 && response.status < 500) {
      throw new Error(`publish: ${response.status}`);
    }
    return response?.status === 202;
  };
  const run = async (): Promise<void> => {
    while (!isOver) {
      if (await publish(acknowledged + 1)) acknowledged += 1;
      await Bun.sleep(isOver ? 0 : acknowledged === 0 ? RETRY_MS : INTERVAL_MS);
    }
  };
  const ended = run();
  // Whoever finishes it gets the failure; it must not count as unhandled before.
  ended.catch(() => undefined);
  return {
    acknowledged: () => acknowledged,
    async finish() {
      isOver = true;
      await ended;
      return acknowledged;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await ended.catch(() => undefined);
    },
  };
}
