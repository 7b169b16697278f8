import { ask, refusalOf } from "./api.ts";
import { byId, create, setText } from "./dom.ts";
import { apiUrl } from "./endpoints.ts";
import { bytes, count } from "./numbers.ts";
import { durationOf } from "./runtime.ts";

/** What the page reads of `GET /api/v1/stats`. */
interface Stats {
  readonly version: string;
  readonly commit: string;
  readonly uptime_s: number;
  readonly connections: {
    readonly client: { readonly websocket: number; readonly sse: number };
    readonly worker: { readonly websocket: number };
  };
  readonly rates: { readonly published_per_s: number; readonly delivered_per_s: number };
  readonly history: {
    readonly messages: number;
    readonly messages_limit: number;
    readonly bytes: number;
    readonly bytes_limit: number;
    readonly is_durable: boolean;
  };
  readonly commands: { readonly waiting: number; readonly limit: number };
  readonly process: {
    readonly resident_bytes: number;
    readonly cpu_s: number;
    readonly event_loop_lag_s: number;
  };
}

/** Asks for the hub's stats and shows them. @returns why there are none, undefined where there are */
export async function showStats(secret: string): Promise<string | undefined> {
  const answer = await ask("GET", apiUrl("api/v1/stats"), { secret });
  if (!answer.ok) return refusalOf(answer);
  const stats: Stats = JSON.parse(answer.text);
  const { client, worker } = stats.connections;
  const { history, commands } = stats;
  show({
    Clients: `${count(client.websocket)} WebSocket, ${count(client.sse)} SSE`,
    Workers: count(worker.websocket),
    Published: `${count(stats.rates.published_per_s)} per second`,
    Delivered: `${count(stats.rates.delivered_per_s)} per second`,
    History: `${count(history.messages)} of ${count(history.messages_limit)} messages, ${bytes(history.bytes)} of ${bytes(history.bytes_limit)}${history.is_durable ? ", kept over a restart" : ", in memory"}`,
    Commands: `${count(commands.waiting)} of ${count(commands.limit)} waiting`,
    Process: `${bytes(stats.process.resident_bytes)}, ${count(stats.process.cpu_s)} s of CPU, loop lag ${count(stats.process.event_loop_lag_s * 1000)} ms`,
    Up: durationOf(stats.uptime_s * 1000),
    Version: `${stats.version} (${stats.commit})`,
  });
  return undefined;
}

function show(facts: Readonly<Record<string, string>>): void {
  const list = byId("stats", HTMLElement);
  for (const [index, [name, value]] of Object.entries(facts).entries()) {
    const row = list.children[index] ?? list.appendChild(newRow(name));
    const shown = row.lastElementChild;
    if (shown !== null) setText(shown, value);
  }
}

function newRow(name: string): HTMLElement {
  const row = create("div");
  row.append(create("dt", "", name), create("dd"));
  return row;
}
