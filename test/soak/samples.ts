import { call } from "./call.ts";
import { type ProcessFigures, readProcess } from "./process.ts";
import type { Point } from "./verdict.ts";

/** The measured hub at one moment. */
export interface Sample extends ProcessFigures {
  /** Since the load began. */
  readonly atS: number;
  readonly websocketClients: number;
  readonly sseClients: number;
  readonly workers: number;
  readonly historyMessages: number;
  readonly historyMb: number;
  readonly commandsWaiting: number;
  readonly idempotencyKeys: number;
  readonly loopLagMs: number;
  readonly publishedPerS: number;
  readonly deliveredPerS: number;
}

export type Figure = keyof Sample;

export async function takeSample(
  hub: { readonly url: string; readonly pid: number },
  atS: number,
): Promise<Sample> {
  const { status, body } = await call(hub, "/api/v1/stats");
  if (status !== 200) throw new Error(`stats: ${status} ${body.slice(0, 200)}`);
  const stats = JSON.parse(body);
  return {
    atS,
    ...readProcess(hub.pid),
    websocketClients: stats.connections.client.websocket,
    sseClients: stats.connections.client.sse,
    workers: stats.connections.worker.websocket,
    historyMessages: stats.history.messages,
    historyMb: stats.history.bytes / 1_000_000,
    commandsWaiting: stats.commands.waiting,
    idempotencyKeys: stats.idempotency_keys,
    loopLagMs: stats.process.event_loop_lag_s * 1000,
    publishedPerS: stats.rates.published_per_s,
    deliveredPerS: stats.rates.delivered_per_s,
  };
}

export function pointsOf(samples: readonly Sample[], figure: Figure): Point[] {
  return samples.map((sample) => [sample.atS, sample[figure]]);
}
