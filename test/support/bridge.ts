import { call } from "./api.ts";
import { type Hub, type HubEnv, startHub } from "./hub.ts";
import { joinWorker } from "./parties.ts";
import type { VectraApi } from "./vectra-api.ts";
import type { WsClient } from "./wsclient.ts";

// A hub behind which a Vectra API process stays in service (PROTOCOL.md section 7).

/** A hub whose bridge has been taken in by the API. */
export async function bridgedHub(api: VectraApi, env: HubEnv = {}): Promise<Hub> {
  const hub = await startHub({ env: { BRIDGE_URL: api.wsUrl, ...env } });
  await hub.waitForLog("the bridge is connected", ({ msg }) => msg === "Connected to the API");
  return hub;
}

/** The bridge has taken a role this often. */
export async function changedRole(hub: Hub, times = 1): Promise<void> {
  await hub.waitForLogs("the bridge has another role", times, ({ msg }) => msg === "Role changed");
}

/** A worker at the hub, for whom the bridge has become the API's worker. */
export async function bridgedWorker(hub: Hub): Promise<WsClient> {
  const worker = await joinWorker(hub);
  await changedRole(hub);
  return worker;
}

/** Everything that reaches the dashboard before something the API says now: how a test knows that nothing else came. */
export async function untilApiSays(api: VectraApi, dashboard: WsClient): Promise<string[]> {
  const mark = `{"type": "DASHBOARD_STATS", "mark": "${crypto.randomUUID()}"}`;
  api.broadcast(mark);
  const texts: string[] = [];
  for (let text = await dashboard.next(); text !== mark; text = await dashboard.next()) texts.push(text);
  return texts;
}

export interface Readiness {
  readonly status: number;
  readonly body: { readonly status: string; readonly checks: { readonly bridge?: unknown } };
}

export async function readiness(hub: Hub): Promise<Readiness> {
  const { status, body } = await call(hub, "/readyz");
  return { status, body: JSON.parse(body) };
}

export function openSockets(api: VectraApi): string[] {
  return api.sockets.filter(({ ended }) => ended === undefined).map(({ role }) => role);
}

/** What an API says, written as no serialiser of the hub's would write it. */
export const BROADCASTS = [
  '{"type": "DASHBOARD_STATS", "total_documents": 9007199254740993, "ratio": 1.0, "total_vectors": 1e3}',
  '{"type":"CONNECTOR_CREATED","id":"3f0c1c2e","name":"Sch\\u00e9ma \u00ab caf\u00e9 \u00bb \u{1f40d}"}',
  ' { "type" : "DOC_CREATED" , "id" : "b7a1" , "id" : "b7a2" } ',
  '{"no type": [], "__proto__": {"type": "WORKER_STATUS"}}',
  '{"type": "DOC_DELETED",\n "id": "b7a1"}',
  '{"type": "DOC_DELETED",\n "id": "b7a1"}',
];
