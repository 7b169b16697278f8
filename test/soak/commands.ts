import { type Answer, call, untilAnswered } from "./call.ts";
import { KEYS_USED } from "./publishers.ts";
import { about, repeat, type Scene } from "./scene.ts";

/** The commands that were accepted, and which of them a worker got. Bounded: only the newest are remembered. */
export interface CommandLedger {
  /** A worker got this one, for the first time or again. */
  received(n: number): void;
  /** Sends commands, for a worker or for none, until the play is over. */
  run(): Promise<void>;
  /**
   * Once no more are sent: asks what became of the newest, until each has come to its end.
   * @throws Error for one that says acknowledged and that no worker got, or that never ends
   */
  settle(limitMs: number): Promise<void>;
}

export interface CommandsOptions {
  readonly scene: Scene;
  readonly meanPauseMs: number;
  /** With keys a call is repeated until it is answered, and nothing may get lost: no command expires. */
  readonly mustArrive: boolean;
}

const REMEMBERED = 500;
const POLL_MS = 200;

export function createCommandLedger({ scene, meanPauseMs, mustArrive }: CommandsOptions): CommandLedger {
  const accepted = new Map<number, string>();
  const got = new Set<number>();
  let count = 0;

  const keepNewest = (): void => {
    for (const n of accepted.keys()) {
      if (accepted.size <= REMEMBERED) return;
      accepted.delete(n);
      got.delete(n);
    }
  };
  const send = async (): Promise<void> => {
    count += 1;
    const n = count;
    const reject = !mustArrive && n % 10 === 0;
    const path = `/api/v1/worker/messages${reject ? "?if_offline=reject" : ""}`;
    const isKeyed = mustArrive || n % 3 === 0;
    if (isKeyed) scene.count(KEYS_USED);
    const post = (): Promise<Answer> =>
      call(scene, path, {
        method: "POST",
        body: JSON.stringify({ type: "TRIGGER", n }),
        headers: isKeyed ? { "idempotency-key": `command-${n}` } : {},
      });
    const { status, body } = await (mustArrive ? untilAnswered(post) : post());
    if (status === 202) {
      accepted.set(n, JSON.parse(body).id);
      scene.count(`commands ${JSON.parse(body).status}`);
    } else if (status === 409 && reject) scene.count("commands refused: nobody there");
    else if (status === 503 && !mustArrive) scene.count("commands refused: queue full");
    else throw new Error(`a command was answered ${status} ${body.slice(0, 200)}`);
    keepNewest();
  };

  const ends = mustArrive ? ["acknowledged"] : ["acknowledged", "expired"];
  const settleOne = async (n: number, id: string, untilMs: number): Promise<void> => {
    while (true) {
      const { status, body } = await call(scene, `/api/v1/worker/messages/${id}`);
      // An ended command is forgotten after ten minutes.
      if (status === 404 && !mustArrive) return;
      const state = status === 200 ? JSON.parse(body).status : `${status} ${body}`;
      if (state === "acknowledged" && !got.has(n))
        throw new Error(`command ${n} is acknowledged, but no worker got it`);
      if (ends.includes(state)) return;
      if (performance.now() > untilMs) throw new Error(`command ${n} is still ${state}`);
      await Bun.sleep(POLL_MS);
    }
  };

  return {
    received: (n) => void got.add(n),
    run: () => repeat(scene, "a command", () => about(scene.random, meanPauseMs), send),
    async settle(limitMs) {
      const untilMs = performance.now() + limitMs;
      for (const [n, id] of accepted) await settleOne(n, id, untilMs);
    },
  };
}
